import { createHash } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import type { ImageModelV4, ImageModelV4CallOptions, ImageModelV4Result } from '@ai-sdk/provider';

const width = 256;
const height = 256;

/** Draws stripes whose colours follow from the prompt, in place of an image model. */
export class DemoImageModel implements ImageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'demo';
  readonly modelId = 'demo';
  readonly maxImagesPerCall = 4;

  async doGenerate({ prompt = '', n }: ImageModelV4CallOptions): Promise<ImageModelV4Result> {
    const images = Array.from({ length: n }, (_, index) =>
      pngOf(createHash('sha256').update(`${index} ${prompt}`).digest()),
    );
    return { images, warnings: [], response: { timestamp: new Date(), modelId: 'demo', headers: undefined } };
  }
}

/** A PNG image of stripes (https://www.w3.org/TR/png/). `seed`: 32 bytes. */
function pngOf(seed: Buffer): Uint8Array {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const wave = Math.sin(((x * ((seed[3] ?? 0) - 128) + y * ((seed[4] ?? 0) - 128)) * Math.PI) / 8192);
      for (let channel = 0; channel < 3; channel += 1) {
        const base = seed[5 + channel] ?? 0;
        rows[y * (1 + width * 3) + 1 + x * 3 + channel] = Math.max(0, Math.min(255, Math.round(base + wave * 90)));
      }
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4);
  const sum = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
