import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';

/** A body that is refused, with the status to answer. */
export class BodyError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** How long the body of an operation may take to come. */
const bodyMs = 60_000;

/** The whole body. Throws BodyError when it is too large, too slow or no UTF-8. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new BodyError(413, `The request body is larger than ${maxBytes} bytes, the limit.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    request.destroy();
  }, bodyMs);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (isLate) throw new BodyError(408, `The request body took longer than ${bodyMs / 1000} s.`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  if (!isUtf8(body)) throw new BodyError(400, 'The request body is not valid UTF-8.');
  return body;
}
