import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serverLimits } from '../limits.ts';
import { sendJson } from './json-response.ts';

/** A request body that is refused, with the HTTP status of the response. */
export class BodyError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Reads a whole body. Throws BodyError if it is too large, too slow or not UTF-8. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new BodyError(413, `The request body is larger than the limit of ${maxBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const { bodyMs } = serverLimits;
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

/** Sends a BodyError as a response and closes the connection after it. Throws any other error. */
export function sendBodyError(response: ServerResponse, error: unknown): void {
  if (!(error instanceof BodyError)) throw error;
  const errors = [{ message: error.message, extensions: { code: 'BAD_USER_INPUT' } }];
  response.setHeader('connection', 'close');
  sendJson(response, error.status, { errors });
}
