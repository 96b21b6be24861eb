import type { IncomingMessage, ServerResponse } from 'node:http';
import { type LivenessLimits, watchResponse } from '../live/liveness.ts';
import { jsonTurns } from '../yoga/json-pieces.ts';

const contentType = 'application/json; charset=utf-8';

/** Sends a JSON response that must not be cached. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

interface EarlyResponse {
  status: number;
  headers?: Readonly<Record<string, string>>;
  body: object;
  /** How long the client may take to read the response, in milliseconds. */
  lingerMs: number;
}

/**
 * Sends a JSON response and then closes the connection, also if the rest of the request's body has not been read. The
 * connection stays open for `lingerMs`: if it closed at once, the bytes still to read would make the system discard the
 * response on its way.
 */
export async function sendEarly(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers: more = {}, body, lingerMs }: EarlyResponse,
): Promise<void> {
  response.setHeaders(new Map(Object.entries({ ...more, connection: 'close' })));
  if (request.complete || response.destroyed) return sendJson(response, status, body);
  const text = JSON.stringify(body);
  const headers = { 'content-type': contentType, 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
  response.write(text);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, lingerMs);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  response.end();
}
/** Sends the result of an operation at once. Gives up a client that does not read it. */
export function sendPlain(response: ServerResponse, result: object, liveness: LivenessLimits): void {
  response.writeHead(response.statusCode, { 'content-type': contentType });
  response.end(JSON.stringify(result));
  // Most clients have read the whole response by now, and need no timer.
  if (response.req.socket.writableLength > 0) watchResponse(response, liveness);
}

/** Sends a large result as fast as the client reads it. Gives up a client that does not. */
export async function sendPieces(response: ServerResponse, result: object, liveness: LivenessLimits): Promise<void> {
  watchResponse(response, liveness);
  response.writeHead(response.statusCode, { 'content-type': contentType });
  for await (const piece of jsonTurns(result)) {
    if (response.req.socket.destroyed) return;
    if (!response.write(piece)) await whenDrained(response);
  }
  response.end();
}

/** Resolves when the client has read what is buffered, or the connection has closed. */
function whenDrained(response: ServerResponse): Promise<void> {
  const { socket } = response.req;
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    response.on('drain', done);
    socket.on('close', done);
  });
}
