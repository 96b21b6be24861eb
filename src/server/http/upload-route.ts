import type { IncomingMessage, ServerResponse } from 'node:http';
import { noCredential } from '../../domain/access/credential.ts';
import type { Services } from '../../domain/context.ts';
import type { StagedBytes } from '../../files/staging.ts';
import type { Logger } from '../../log.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { requestCredential } from '../session/request-credential.ts';
import { errorResponse } from '../session/request-error.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import type { Transport, Yoga } from '../yoga/yoga.ts';
import { sendBodyError } from './body.ts';
import { sendJson } from './json-response.ts';
import { readMultipart, type UploadLimits } from './multipart.ts';

interface UploadRouteOptions {
  yoga: Yoga;
  services: Services;
  authenticator: Authenticator;
  maxBodyBytes: number;
  uploads: Pick<UploadLimits, 'uploadBytes' | 'uploads'>;
  log: Logger;
}

/** Serves an operation with files. Its body is read only after its credential has been accepted. */
export async function serveUpload(
  request: IncomingMessage,
  response: ServerResponse,
  transport: Transport,
  options: UploadRouteOptions,
): Promise<void> {
  let release: () => void;
  try {
    release = await acquireUpload(request, options.authenticator);
  } catch (error) {
    const { status, headers, body } = errorResponse(error, maskError(options.log));
    // The body stays unread, so the connection cannot be used again.
    response.setHeaders(new Map(Object.entries({ ...headers, connection: 'close' })));
    return sendJson(response, status, body);
  }
  const { staging } = options.services;
  const limits = { ...options.uploads, bodyBytes: options.maxBodyBytes };
  const staged: StagedBytes[] = [];
  try {
    const operation = await readMultipart(request, staging, limits, staged);
    await options.yoga(request, response, { ...transport, operation });
  } catch (error) {
    sendBodyError(response, error);
  } finally {
    release();
    for (const bytes of staged) await staging.discard(bytes);
  }
}

/** Counts an upload of the request's actor until the returned function is called. Throws the error that refuses it. */
async function acquireUpload(request: IncomingMessage, authenticator: Authenticator): Promise<() => void> {
  const credential = requestCredential(request);
  if (credential.secret === null) throw noCredential();
  const { context } = await authenticator.open(credential);
  return authenticator.quota.acquire('upload', context.actor, context.workspaceId);
}
