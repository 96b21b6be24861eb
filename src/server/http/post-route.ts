import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FairTurns } from '../../async/fair-turns.ts';
import type { SharedMemory } from '../../async/shared-memory.ts';
import { serverLimits } from '../limits.ts';
import type { EventStreams } from '../live/event-stream.ts';
import { type LivenessLimits, watchResponse } from '../live/liveness.ts';
import { anonymousHolder, holderOf } from '../session/holder.ts';
import { errorResponse } from '../session/request-error.ts';
import type { TrustedProxies } from '../trusted-proxies.ts';
import type { Transport } from '../yoga/transport.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import { type Admission, admit, admitted, refusalOf } from './admission.ts';
import { readBody } from './body.ts';
import type { BodyBytes } from './body-bytes.ts';
import { BodyError, sendBodyError } from './body-error.ts';
import { serveFastJson } from './fast-json.ts';
import { sendEarly } from './json-response.ts';
import { serveUpload, type UploadRouteOptions } from './upload-route.ts';

export interface PostOptions extends UploadRouteOptions {
  turns: FairTurns;
  proxies: TrustedProxies;
  eventStreams: EventStreams;
  liveness: LivenessLimits;
  /** Shared by all bodies of requests. */
  memory: SharedMemory;
}

/**
 * Serves an operation in the body of a POST. The credential is judged by the headers: without an accepted one, only a short
 * body is read.
 */
export async function servePost(
  request: IncomingMessage,
  response: ServerResponse,
  transport: Transport,
  options: PostOptions,
): Promise<void> {
  const admission = await admit(request, options.authenticator, options.maxBodyBytes);
  // A credential can end while the body arrives: yoga then authenticates it again.
  const session = request.complete ? admission.session : null;
  Object.assign(transport, { ...admitted(admission, request, options), session });
  if (isMultipart(request)) {
    if (!admission.session) return refuse(request, response, admission, options);
    watchResponse(response, options.liveness);
    return serveUpload(request, response, transport, { ...options, session: admission.session });
  }
  const body = await receiveBody(request, response, admission, options);
  if (!body) return;
  if (admission.refusal !== null && options.eventStreams.handles(request)) {
    body.release();
    return refuse(request, response, admission, options);
  }
  try {
    await serveBody(request, response, body.bytes, transport, options);
  } finally {
    body.release();
  }
}

const isMultipart = ({ headers }: IncomingMessage) =>
  headers['content-type']?.toLowerCase().startsWith('multipart/') === true;

const isJson = ({ headers }: IncomingMessage) => headers['content-type']?.toLowerCase().includes('json') === true;

/** The body; null if it has been refused. */
async function receiveBody(
  request: IncomingMessage,
  response: ServerResponse,
  admission: Admission,
  options: PostOptions,
): Promise<BodyBytes | null> {
  const { services } = options;
  const { maxBytes } = admission;
  const { slowBodyMs: slowMs, lingerMs } = services.timing.request;
  try {
    const memory = options.memory.of(admission.session ? holderOf(admission.session.context) : anonymousHolder);
    return await readBody(request, {
      maxBytes: isJson(request) ? maxBytes : Math.min(maxBytes, serverLimits.formBytes),
      memory,
      slowMs,
    });
  } catch (error) {
    const isLong = error instanceof BodyError && error.status === 413;
    if (isLong && !admission.session) await refuse(request, response, admission, options);
    else await sendBodyError(request, response, error, lingerMs);
    return null;
  }
}

/** Sends the refusal of a missing or refused credential, without the rest of the body. */
async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  admission: Admission,
  { log, services }: PostOptions,
): Promise<void> {
  const { lingerMs } = services.timing.request;
  await sendEarly(request, response, { ...errorResponse(refusalOf(admission), maskError(log)), lingerMs });
}

async function serveBody(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  transport: Transport,
  options: PostOptions,
): Promise<void> {
  const { eventStreams, liveness, yoga } = options;
  if (eventStreams.handles(request)) {
    watchResponse(response, liveness);
    return eventStreams.serve(request, response, body.toString());
  }
  if (await serveFastJson(request, response, body, transport, options)) return;
  Object.assign(request, { body });
  watchResponse(response, liveness);
  await yoga(request, response, transport);
}
