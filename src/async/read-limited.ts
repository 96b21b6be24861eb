/** The body of a response is larger than the limit. */
export class TooLongError extends Error {
  constructor(maxBytes: number) {
    super(`The response is larger than ${maxBytes} bytes.`);
  }
}

/** Reads a whole body; the limit applies to the decompressed bytes. Throws TooLongError beyond `maxBytes`. */
export async function readLimited(body: AsyncIterable<Uint8Array> | null, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new TooLongError(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
