import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as the server received it. */
export interface HeardRequest {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A server on loopback that records its requests. */
export interface EchoServer extends AsyncDisposable {
  /** The base URL, without a path. */
  url: string;
  heard: HeardRequest[];
  /** Closes the open connections and stops listening. */
  close(): Promise<void>;
}

/** Starts a server that responds with `answer`; the default returns the request as JSON. */
export async function startEchoServer(
  answer: (request: HeardRequest, response: ServerResponse) => void = (request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request));
  },
): Promise<EchoServer> {
  const heard: HeardRequest[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body };
    heard.push(one);
    answer(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, heard, close, [Symbol.asyncDispose]: close };
}
