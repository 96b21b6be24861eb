import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import helmet from 'helmet';
import type { Logger } from '../log.ts';
import type { EventStreams } from './event-stream.ts';
import { type LivenessLimits, watchResponse } from './liveness.ts';
import { couldBeForged, isPageView, type Origins } from './origin.ts';
import { answerPlainJson } from './plain-json.ts';
import type { Transport, Yoga } from './yoga.ts';

/** What the routes need. `isReady` throws, with a reason for the log, while the server cannot do its work. */
export interface HttpOptions {
  yoga: Yoga;
  eventStreams: EventStreams;
  /** When event streams are given up. */
  liveness: LivenessLimits;
  isReady: () => Promise<void>;
  origins: Origins;
  maxBodyBytes: number;
  log: Logger;
}

class BodyError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The HTTP server: /graphql, /health (the process is alive) and /ready (database and queue answer). */
export function createHttpServer(options: HttpOptions): Server {
  const server = createServer((request, response) => {
    route(request, response, options).catch((error) => {
      options.log.error({ err: error }, 'request');
      if (!response.headersSent) answer(response, 500, { error: 'Something went wrong here.' });
      else response.destroy();
    });
  });
  server.requestTimeout = 60_000;
  return server;
}

async function route(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/graphql') return serveGraph(request, response, options);
  if (path === '/health') return answer(response, 200, { status: 'ok' });
  if (path === '/ready') return ready(response, options);
  if (path === '/') {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  answer(response, 404, { error: 'Nothing is here. The graph is at /graphql.' });
}

async function ready(response: ServerResponse, { isReady, log }: HttpOptions): Promise<void> {
  try {
    await isReady();
    answer(response, 200, { status: 'ready' });
  } catch (error) {
    log.warn({ err: error }, 'not ready');
    answer(response, 503, { status: 'not ready' });
  }
}

/** What a browser is told about a page of ours: GraphiQL brings all it needs with it, and talks to this server alone. */
const protectPage = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      // The page is one document: its scripts and styles stand in it.
      scriptSrc: ["'unsafe-inline'"],
      styleSrc: ["'unsafe-inline'"],
      imgSrc: ['data:'],
      fontSrc: ['data:'],
      connectSrc: ["'self'"],
      workerSrc: ['blob:'],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // TLS ends before us, where it is known for which hosts that holds.
  strictTransportSecurity: false,
});

async function serveGraph(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  if (await options.origins.answer(request, response)) return;
  response.setHeader('x-content-type-options', 'nosniff');
  if (couldBeForged(request)) {
    const message = 'Any web page could have sent this: add the header "graphql-require-preflight: 1", or a key.';
    return answer(response, 403, { errors: [{ message, extensions: { code: 'FORBIDDEN' } }] });
  }
  if (request.method === 'GET' && isPageView(request.headers.accept)) protectPage(request, response, () => {});
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const transport: Transport = { gone: gone.signal };
  if (request.headers.accept?.includes('text/event-stream')) {
    // Events are to pass proxies as they come.
    response.setHeader('x-accel-buffering', 'no');
    watchResponse(response, options.liveness);
  }
  const body = await bodyOf(request, response, options);
  if (body === undefined) return;
  if (options.eventStreams.concerns(request)) {
    return options.eventStreams.serve(request, response, body?.toString() ?? null);
  }
  if (body && (await answerPlainJson(options.yoga, request, body, response, transport))) return;
  if (body) Object.assign(request, { body });
  await options.yoga(request, response, transport);
}

/** The body of a request, null where it has none that is read here; undefined: it has been refused. */
async function bodyOf(request: IncomingMessage, response: ServerResponse, { maxBodyBytes }: HttpOptions) {
  if (request.method !== 'POST' || request.headers['content-type']?.startsWith('multipart/')) return null;
  try {
    return await readBody(request, maxBodyBytes);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    const errors = [{ message: error.message, extensions: { code: 'BAD_USER_INPUT' } }];
    response.setHeader('connection', 'close');
    answer(response, error.status, { errors });
    return undefined;
  }
}

/** The whole body. Throws BodyError when it is too large or no UTF-8. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new BodyError(413, `The request body is larger than ${maxBytes} bytes, the limit.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  if (!isUtf8(body)) throw new BodyError(400, 'The request body is not valid UTF-8.');
  return body;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
