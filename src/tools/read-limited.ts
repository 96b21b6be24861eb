/** The body of an answer is larger than is read. */
export class TooLongError extends Error {
  constructor(maxBytes: number) {
    super(`The answer is larger than ${maxBytes} bytes.`);
  }
}

/** The bytes of a body, as they come out of whatever it was packed in. Throws TooLongError beyond `maxBytes`. */
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
