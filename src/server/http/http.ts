import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isUnavailable } from '../../db/unavailable.ts';
import { RateLimitedError, UnavailableError } from '../../domain/error.ts';
import { type Cors, couldBeForged, isPageView } from '../cors.ts';
import { serverLimits } from '../limits.ts';
import { onceClosed, watchResponse } from '../live/liveness.ts';
import { endInOutage } from '../live/outage.ts';
import { errorResponse } from '../session/request-error.ts';
import { Answer } from '../yoga/answer.ts';
import type { Answers } from '../yoga/answers.ts';
import { icon } from '../yoga/graphiql.ts';
import type { Transport } from '../yoga/transport.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import { admit, admitted } from './admission.ts';
import { acceptPipelined, type Connections } from './connections.ts';
import { serveFile } from './file-route.ts';
import { sendEarly, sendJson } from './json-response.ts';
import { pageHeaders } from './page-headers.ts';
import { type PostOptions, servePost } from './post-route.ts';

export interface HttpOptions extends PostOptions {
  answers: Answers;
  connections: Connections;
  /** Throws the reason while the server cannot serve requests. */
  isReady: () => Promise<void>;
  origins: Cors;
}

/** The HTTP server: /graphql, /files/<id>, /health (the process is alive) and /ready (database and queue respond). */
export function createHttpServer(given: HttpOptions): Server {
  // Anybody can ask for the readiness.
  const options = { ...given, isReady: shared(given.isReady) };
  const { log, services, connections } = options;
  const { headersMs: headersTimeout, headersCheckMs: connectionsCheckingInterval } = services.timing.request;
  const { headerBytes: maxHeaderSize, requestMs: requestTimeout } = serverLimits;
  const timeouts = { headersTimeout, connectionsCheckingInterval, requestTimeout };
  const server = createServer({ maxHeaderSize, ...timeouts, shouldUpgradeCallback }, (request, response) => {
    if (!acceptPipelined(request, response)) return;
    route(request, response, options).catch((error) => {
      if (!response.headersSent && (error instanceof UnavailableError || isUnavailable(error))) {
        return sendUnavailable(response, error, options);
      }
      log.error({ err: error }, 'request failed');
      if (!response.headersSent) sendJson(response, 500, { error: 'Internal server error.' });
      else response.destroy();
    });
  });
  connections.bound(server);
  return server;
}

/** Other upgrades, such as that of Java's client to HTTP/2, are offers: the request is served without them. */
const shouldUpgradeCallback = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket';

async function route(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  if (!options.connections.accepts(request, response)) return refuseClient(request, response, options);
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/graphql') return serveGraph(request, response, options);
  if (path?.startsWith('/files/')) {
    if (options.services.availability.isLongAway) throw new UnavailableError();
    if (await options.origins.handle(request, response)) return;
    watchResponse(response, options.liveness);
    return serveFile(request, response, options);
  }
  if (path === '/health') return sendJson(response, 200, { status: 'ok' });
  if (path === '/ready') return serveReadiness(response, options);
  if (path === '/') {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  if (path === '/favicon.ico') {
    response.writeHead(200, { 'content-type': 'image/svg+xml', 'cache-control': 'max-age=86400' }).end(icon);
    return;
  }
  sendJson(response, 404, { error: 'Not found. The GraphQL endpoint is /graphql.' });
}

/** Refuses a request of a client behind a proxy that has too many under way. */
function refuseClient(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  const error = new RateLimitedError('Too many requests of this address are under way. Retry when some have ended.');
  const { lingerMs } = options.services.timing.request;
  return sendEarly(request, response, { ...errorResponse(error, maskError(options.log)), lingerMs });
}

/** The same work, but calls during a run share its result. */
function shared(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => {
    running ??= work().finally(() => {
      running = null;
    });
    return running;
  };
}

async function serveReadiness(response: ServerResponse, { isReady, log }: HttpOptions): Promise<void> {
  try {
    await isReady();
    sendJson(response, 200, { status: 'ready' });
  } catch (error) {
    log.debug({ err: error }, 'readiness check failed');
    sendJson(response, 503, { status: 'not ready' });
  }
}

/** Refuses a request that needs what is unavailable. Its body may not have been read. */
function sendUnavailable(response: ServerResponse, error: unknown, { log }: HttpOptions): void {
  const { status, headers, body } = errorResponse(error, maskError(log));
  response.setHeaders(new Map(Object.entries({ ...headers, connection: 'close' })));
  sendJson(response, status, body);
}

async function serveGraph(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  if (await options.origins.handle(request, response)) return;
  response.setHeader('x-content-type-options', 'nosniff');
  if (couldBeForged(request)) {
    const message =
      'A page of any origin could have sent this request. Add the header "graphql-require-preflight: 1" or a key.';
    return sendJson(response, 403, { errors: [{ message, extensions: { code: 'FORBIDDEN' } }] });
  }
  const { availability } = options.services;
  if (availability.isLongAway && !isPageView(request.headers.accept)) throw new UnavailableError();
  if (request.method === 'GET' && isPageView(request.headers.accept)) response.setHeaders(pageHeaders);
  const disconnected = new AbortController();
  const answer = new Answer(options.answers);
  onceClosed(response, () => {
    if (!response.writableFinished) disconnected.abort();
    answer.release();
  });
  const origin = options.proxies.originOf(request);
  const transport: Transport = { disconnected: disconnected.signal, answer, origin };
  if (request.headers.accept?.includes('text/event-stream')) {
    // Proxies must not buffer events.
    response.setHeader('x-accel-buffering', 'no');
    endInOutage(response, availability, options.eventStreams.handles(request));
  }
  if (request.method === 'POST') return servePost(request, response, transport, options);
  watchResponse(response, options.liveness);
  if (options.eventStreams.handles(request)) return options.eventStreams.serve(request, response, null);
  const admission = await admit(request, options.authenticator, options.maxBodyBytes);
  await options.yoga(request, response, { ...transport, ...admitted(admission, request, options) });
}
