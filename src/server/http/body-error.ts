import type { IncomingMessage, ServerResponse } from 'node:http';
import { serverLimits } from '../limits.ts';
import { sendEarly } from './json-response.ts';

/** Seconds after which a client may send a request again that the server had no room for. */
const retryAfterSeconds = 5;

/** A request body that is refused, with the HTTP status of the response. */
export class BodyError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, message: string, code = 'BAD_USER_INPUT') {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const tooLarge = (name: string, maxBytes: number) =>
  new BodyError(413, `${name} is larger than the limit of ${maxBytes} bytes.`);

export const tooManyValues = () =>
  new BodyError(413, `The request has more than ${serverLimits.jsonValues} JSON values. Send it in several requests.`);

export const incomplete = () => new BodyError(400, 'The request body is incomplete.');

/** The server has no memory for one more body. */
export const noMemory = () =>
  new BodyError(503, 'The server holds too many large requests, of yours or in all. Try again later.', 'UNAVAILABLE');

/** The disk of the server has no room for files, or cannot be written. */
export const noRoom = () =>
  new BodyError(507, 'There is no room for files on the server. Try again later.', 'UNAVAILABLE');

/** Sends a BodyError as a response and closes the connection after it. Throws any other error. */
export async function sendBodyError(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  lingerMs: number,
): Promise<void> {
  if (!(error instanceof BodyError)) throw error;
  const { message, code, status } = error;
  const canRetry = code === 'UNAVAILABLE';
  if (canRetry) response.setHeader('retry-after', retryAfterSeconds);
  const extensions = { code, ...(canRetry && { retryAfterSeconds }) };
  await sendEarly(request, response, { status, body: { errors: [{ message, extensions }] }, lingerMs });
}
