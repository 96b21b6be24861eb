import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SharedMemory } from '../../async/shared-memory.ts';
import type { Services } from '../../domain/context.ts';
import { DomainError } from '../../domain/error.ts';
import type { UploadRooms } from '../../domain/file/file-room.ts';
import type { FreeSpace } from '../../files/free-space.ts';
import type { StagedBytes } from '../../files/staging.ts';
import type { Logger } from '../../log.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { holderOf } from '../session/holder.ts';
import { errorResponse } from '../session/request-error.ts';
import type { Session } from '../session/session.ts';
import type { Transport } from '../yoga/transport.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import type { Yoga } from '../yoga/yoga.ts';
import { noRoom, sendBodyError } from './body-error.ts';
import { sendEarly } from './json-response.ts';
import { readMultipart, type UploadLimits } from './multipart.ts';

export interface UploadRouteOptions {
  yoga: Yoga;
  services: Services;
  authenticator: Authenticator;
  maxBodyBytes: number;
  uploads: Pick<UploadLimits, 'uploadBytes' | 'uploads'>;
  /** Shared by all bodies of requests. */
  memory: SharedMemory;
  uploadRooms: UploadRooms;
  /** Of the disk of files. */
  freeSpace: FreeSpace;
  log: Logger;
}

/** Serves an operation with files of an authenticated request. */
export async function serveUpload(
  request: IncomingMessage,
  response: ServerResponse,
  transport: Transport,
  options: UploadRouteOptions & { session: Session },
): Promise<void> {
  const { services, log } = options;
  const { lingerMs } = services.timing.request;
  try {
    await receiveAndServe(request, response, transport, options);
  } catch (error) {
    if (!(error instanceof DomainError)) return sendBodyError(request, response, error, lingerMs);
    await sendEarly(request, response, { ...errorResponse(error, maskError(log)), lingerMs });
  }
}

/** Throws BodyError for a body and DomainError for a request that is refused. Leaves no staged bytes. */
async function receiveAndServe(
  request: IncomingMessage,
  response: ServerResponse,
  transport: Transport,
  {
    yoga,
    services,
    authenticator,
    session,
    freeSpace,
    uploadRooms,
    ...more
  }: UploadRouteOptions & { session: Session },
): Promise<void> {
  if (freeSpace.isFull) throw noRoom();
  const { staging, timing } = services;
  const { actor, workspaceId } = session.context;
  const release = authenticator.quota.acquire('upload', actor, workspaceId);
  const staged: StagedBytes[] = [];
  try {
    const room = await uploadRooms.open(session.context);
    try {
      const operation = await readMultipart(request, staged, {
        ...{ staging, room, memory: more.memory.of(holderOf(session.context)), slowMs: timing.request.slowBodyMs },
        limits: { ...more.uploads, bodyBytes: more.maxBodyBytes },
        onDiskError: (error) => more.log.error({ err: error }, 'files cannot be stored'),
      });
      await yoga(request, response, { ...transport, operation });
    } finally {
      room.close();
    }
  } finally {
    release();
    for (const bytes of staged) await staging.discard(bytes);
  }
}
