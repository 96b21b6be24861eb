import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Services } from '../../domain/context.ts';
import type { StagedBytes } from '../../files/staging.ts';
import type { Logger } from '../../log.ts';
import type { EventStreams } from '../live/event-stream.ts';
import { type LivenessLimits, watchResponse } from '../live/liveness.ts';
import { type Authenticator, credentialIn, refusedRequest } from '../session/authenticate.ts';
import { type Transport, workspaceIn, type Yoga } from '../yoga/yoga.ts';
import { BodyError, readBody } from './body.ts';
import { type Cors, couldBeForged, isPageView } from './cors.ts';
import { answerFastJson } from './fast-json.ts';
import { serveFile } from './file-route.ts';
import { answerJson } from './json-response.ts';
import { type MultipartOperation, readMultipart, type UploadLimits } from './multipart.ts';
import { pageHeaders } from './page-headers.ts';

/** What the routes need. `isReady` throws, with a reason for the log, while the server cannot do its work. */
export interface HttpOptions {
  yoga: Yoga;
  services: Services;
  authenticator: Authenticator;
  eventStreams: EventStreams;
  /** When event streams are given up. */
  liveness: LivenessLimits;
  isReady: () => Promise<void>;
  origins: Cors;
  maxBodyBytes: number;
  uploads: Pick<UploadLimits, 'uploadBytes' | 'uploads'>;
  log: Logger;
}

/** How long a request may take to come: uploads are large. */
const requestMs = 15 * 60_000;

/** The HTTP server: /graphql, /files/<id>, /health (the process is alive) and /ready (database and queue answer). */
export function createHttpServer(options: HttpOptions): Server {
  const server = createServer((request, response) => {
    route(request, response, options).catch((error) => {
      options.log.error({ err: error }, 'request');
      if (!response.headersSent) answerJson(response, 500, { error: 'Something went wrong here.' });
      else response.destroy();
    });
  });
  server.requestTimeout = requestMs;
  return server;
}

async function route(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0];
  if (path === '/graphql') return serveGraph(request, response, options);
  if (path?.startsWith('/files/')) {
    if (!(await options.origins.answer(request, response))) await serveFile(request, response, options);
    return;
  }
  if (path === '/health') return answerJson(response, 200, { status: 'ok' });
  if (path === '/ready') return ready(response, options);
  if (path === '/') {
    response.writeHead(302, { location: '/graphql' }).end();
    return;
  }
  answerJson(response, 404, { error: 'Nothing is here. The graph is at /graphql.' });
}

async function ready(response: ServerResponse, { isReady, log }: HttpOptions): Promise<void> {
  try {
    await isReady();
    answerJson(response, 200, { status: 'ready' });
  } catch (error) {
    log.warn({ err: error }, 'not ready');
    answerJson(response, 503, { status: 'not ready' });
  }
}

async function serveGraph(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  if (await options.origins.answer(request, response)) return;
  response.setHeader('x-content-type-options', 'nosniff');
  if (couldBeForged(request)) {
    const message = 'Any web page could have sent this: add the header "graphql-require-preflight: 1", or a key.';
    return answerJson(response, 403, { errors: [{ message, extensions: { code: 'FORBIDDEN' } }] });
  }
  if (request.method === 'GET' && isPageView(request.headers.accept)) response.setHeaders(pageHeaders);
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
  if (isMultipart(request)) return serveUpload(request, response, transport, options);
  const body = await bodyOf(request, response, options);
  if (body === undefined) return;
  if (options.eventStreams.concerns(request)) {
    return options.eventStreams.serve(request, response, body?.toString() ?? null);
  }
  if (body && (await answerFastJson(options.yoga, request, body, response, transport))) return;
  if (body) Object.assign(request, { body });
  await options.yoga(request, response, transport);
}

/** The body of a request, null where it has none that is read here; undefined: it has been refused. */
async function bodyOf(request: IncomingMessage, response: ServerResponse, { maxBodyBytes }: HttpOptions) {
  if (request.method !== 'POST') return null;
  try {
    return await readBody(request, maxBodyBytes);
  } catch (error) {
    refuseBody(response, error);
    return undefined;
  }
}

/** Answers why a body is not taken. Throws what is no BodyError. */
function refuseBody(response: ServerResponse, error: unknown): void {
  if (!(error instanceof BodyError)) throw error;
  const errors = [{ message: error.message, extensions: { code: 'BAD_USER_INPUT' } }];
  response.setHeader('connection', 'close');
  answerJson(response, error.status, { errors });
}

const isMultipart = ({ method, headers }: IncomingMessage) =>
  method === 'POST' && headers['content-type']?.toLowerCase().startsWith('multipart/') === true;

/** An operation with files. Nothing is read of it before its credential is found to be good. */
async function serveUpload(
  request: IncomingMessage,
  response: ServerResponse,
  transport: Transport,
  { authenticator, services, yoga, uploads, maxBodyBytes }: HttpOptions,
): Promise<void> {
  const header = (name: string) => request.headers[name] as string | undefined;
  const credential = credentialIn(header('authorization') ?? null, workspaceIn(header));
  const staged: StagedBytes[] = [];
  let release = () => {};
  try {
    // What anybody without a credential is refused.
    let operation: MultipartOperation = { query: '{ viewer { kind } }' };
    const admit = async () => {
      const { context } = await authenticator.open(credential);
      release = authenticator.quota.acquire('upload', context.actor, context.workspaceId);
    };
    const isAdmitted =
      credential.secret !== null &&
      (await admit().then(
        () => true,
        (error) => {
          transport.refusal = refusedRequest(error);
          return false;
        },
      ));
    if (isAdmitted) {
      const limits = { ...uploads, bodyBytes: maxBodyBytes };
      operation = await readMultipart(request, services.staging, limits, staged);
    } else response.setHeader('connection', 'close');
    await yoga(request, response, { ...transport, operation });
  } catch (error) {
    refuseBody(response, error);
  } finally {
    release();
    for (const bytes of staged) await services.staging.discard(bytes);
  }
}
