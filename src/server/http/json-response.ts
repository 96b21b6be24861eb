import type { IncomingMessage, ServerResponse } from 'node:http';

/** Sends a JSON response that must not be cached. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
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
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' };
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
