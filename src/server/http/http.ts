import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Services } from '../../domain/context.ts';
import type { Logger } from '../../log.ts';
import { type Cors, couldBeForged, isPageView } from '../cors.ts';
import { serverLimits } from '../limits.ts';
import type { EventStreams } from '../live/event-stream.ts';
import { type LivenessLimits, onceClosed, watchResponse } from '../live/liveness.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { Answer } from '../yoga/answer.ts';
import type { Answers } from '../yoga/answers.ts';
import type { Transport, Yoga } from '../yoga/yoga.ts';
import { readBody, sendBodyError } from './body.ts';
import { serveFastJson } from './fast-json.ts';
import { serveFile } from './file-route.ts';
import { sendJson } from './json-response.ts';
import type { UploadLimits } from './multipart.ts';
import { pageHeaders } from './page-headers.ts';
import { serveUpload } from './upload-route.ts';

export interface HttpOptions {
  yoga: Yoga;
  services: Services;
  authenticator: Authenticator;
  eventStreams: EventStreams;
  answers: Answers;
  liveness: LivenessLimits;
  /** Throws the reason while the server cannot serve requests. */
  isReady: () => Promise<void>;
  origins: Cors;
  maxBodyBytes: number;
  uploads: Pick<UploadLimits, 'uploadBytes' | 'uploads'>;
  log: Logger;
}

/** The HTTP server: /graphql, /files/<id>, /health (the process is alive) and /ready (database and queue respond). */
export function createHttpServer(options: HttpOptions): Server {
  const { headerBytes: maxHeaderSize, requestMs: requestTimeout } = serverLimits;
  return createServer({ maxHeaderSize, requestTimeout }, (request, response) => {
    route(request, response, options).catch((error) => {
      options.log.error({ err: error }, 'request failed');
      if (!response.headersSent) sendJson(response, 500, { error: 'Internal server error.' });
      else response.destroy();
    });
  });
}

async function route(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/graphql') return serveGraph(request, response, options);
  if (path?.startsWith('/files/')) {
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
  sendJson(response, 404, { error: 'Not found. The GraphQL endpoint is /graphql.' });
}

async function serveReadiness(response: ServerResponse, { isReady, log }: HttpOptions): Promise<void> {
  try {
    await isReady();
    sendJson(response, 200, { status: 'ready' });
  } catch (error) {
    log.warn({ err: error }, 'readiness check failed');
    sendJson(response, 503, { status: 'not ready' });
  }
}

async function serveGraph(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  if (await options.origins.handle(request, response)) return;
  response.setHeader('x-content-type-options', 'nosniff');
  if (couldBeForged(request)) {
    const message =
      'A page of any origin could have sent this request. Add the header "graphql-require-preflight: 1" or a key.';
    return sendJson(response, 403, { errors: [{ message, extensions: { code: 'FORBIDDEN' } }] });
  }
  if (request.method === 'GET' && isPageView(request.headers.accept)) response.setHeaders(pageHeaders);
  const disconnected = new AbortController();
  const answer = new Answer(options.answers);
  onceClosed(response, () => {
    if (!response.writableFinished) disconnected.abort();
    answer.release();
  });
  const transport: Transport = { disconnected: disconnected.signal, answer };
  if (request.headers.accept?.includes('text/event-stream')) {
    // Proxies must not buffer events.
    response.setHeader('x-accel-buffering', 'no');
  }
  const { liveness } = options;
  if (isMultipart(request)) {
    watchResponse(response, liveness);
    return serveUpload(request, response, transport, options);
  }
  const body = await receiveBody(request, response, options);
  if (body === undefined) return;
  if (options.eventStreams.handles(request)) {
    watchResponse(response, liveness);
    return options.eventStreams.serve(request, response, body?.toString() ?? null);
  }
  if (body && (await serveFastJson(request, response, body, transport, options))) return;
  if (body) Object.assign(request, { body });
  watchResponse(response, liveness);
  await options.yoga(request, response, transport);
}

/** The body of a POST request; null for other methods; undefined if it has been refused. */
async function receiveBody(request: IncomingMessage, response: ServerResponse, { maxBodyBytes }: HttpOptions) {
  if (request.method !== 'POST') return null;
  try {
    return await readBody(request, maxBodyBytes);
  } catch (error) {
    sendBodyError(response, error);
    return undefined;
  }
}

const isMultipart = ({ method, headers }: IncomingMessage) =>
  method === 'POST' && headers['content-type']?.toLowerCase().startsWith('multipart/') === true;
