import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { Memory } from '../../async/shared-memory.ts';
import { QuotaExceededError } from '../../domain/error.ts';
import { isNoRoom } from '../../files/no-room.ts';
import type { StagedBytes, Staging, StagingRoom } from '../../files/staging.ts';
import { Upload } from '../../files/upload.ts';
import { serverLimits } from '../limits.ts';
import type { ParsedOperation } from '../yoga/transport.ts';
import { BodyError, incomplete, noMemory, noRoom, tooLarge } from './body-error.ts';
import { watchPace } from './body-pace.ts';
import { malformed, operationOf } from './multipart-operation.ts';
import { type FilePart, MultipartParts } from './multipart-parts.ts';

/** The limits of one multipart request. */
export interface UploadLimits {
  /** Bytes of one file. */
  uploadBytes: number;
  /** The number of files. */
  uploads: number;
  /** Bytes of the operation with its variables. */
  bodyBytes: number;
}

interface MultipartOptions {
  staging: Staging;
  limits: UploadLimits;
  /** What the bytes of the files are counted in. */
  room: StagingRoom;
  /** What the bytes of the operation are counted in, shared with other requests. */
  memory: Memory;
  /** How long the body may arrive slowly, in milliseconds. */
  slowMs: number;
  /** Receives the errors of the disk. */
  onDiskError: (error: unknown) => void;
}

/**
 * Reads an operation with files. Files are written to the staging folder as they arrive. An Upload that is too large, or has
 * no room in the quotas, has no bytes. All staged bytes are added to `staged`, which the caller must discard, also if this
 * throws BodyError.
 */
export async function readMultipart(
  request: IncomingMessage,
  staged: StagedBytes[],
  options: MultipartOptions,
): Promise<ParsedOperation> {
  const { limits, memory, slowMs } = options;
  const parser = openParser(request, limits);
  const parts = new MultipartParts(parser, { ...limits, stage: (part) => stage(part, staged, options) });
  const late = () => parts.fail(new BodyError(408, 'The request body arrived too slowly.'));
  const stopWatch = watchPace(request, { slowMs, totalMs: serverLimits.requestMs }, late);
  let reserved = 0;
  try {
    const feeding = feed(request, parser, parts, limits, (bytes) => {
      if (!memory.reserve(bytes)) return false;
      reserved += bytes;
      return true;
    });
    await Promise.race([feeding, parts.failed]);
    return operationOf(parts.fields, await parts.files());
  } catch (error) {
    parts.fail(error);
    request.on('error', () => {}).pause();
    throw error;
  } finally {
    stopWatch();
    memory.release(reserved);
    await parts.settled();
  }
}

/**
 * Passes the body to the parser piece by piece. `reserve`: reserves memory for bytes; false: there is none. Throws BodyError.
 */
async function feed(
  request: IncomingMessage,
  parser: BusboyInstance,
  parts: MultipartParts,
  { uploads, uploadBytes, bodyBytes }: UploadLimits,
  reserve: (bytes: number) => boolean,
): Promise<void> {
  const maxBytes = uploads * uploadBytes + bodyBytes * 2;
  const parsed = finished(parser);
  // It also fails when `parts` destroys the parser after a fault.
  parsed.catch(() => {});
  let bytes = 0;
  try {
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge('The request body', maxBytes);
      if (!parts.hasFields && !reserve(piece.length)) throw noMemory();
      // One piece at a time: an error that the parser throws is then thrown here, and does not end the process.
      await new Promise<void>((resolve) => parser.write(piece, () => resolve()));
    }
    parser.end();
    await parsed;
  } catch (error) {
    if (error instanceof BodyError) throw error;
    throw request.complete ? malformed('The body is not valid multipart.') : incomplete();
  }
}

/** Stores a file. Throws BodyError if the disk has no room. */
async function stage(
  { stream, name, mimeType }: FilePart,
  staged: StagedBytes[],
  { staging, limits, room, onDiskError }: MultipartOptions,
): Promise<Upload> {
  try {
    const pieces = stream.iterator({ destroyOnReturn: false });
    const bytes = await staging.add(pieces, limits.uploadBytes, room);
    staged.push(bytes);
    // The parser truncates a file at its limit.
    return new Upload(name, mimeType, stream.truncated ? null : bytes);
  } catch (error) {
    if (isNoRoom(error)) {
      onDiskError(error);
      throw noRoom();
    }
    // An error without a system call comes from the stream.
    if (!(error instanceof QuotaExceededError)) throw 'syscall' in (error as Error) ? error : incomplete();
    // The mutation refuses the file; the rest of it is read and dropped.
    stream.resume();
    return new Upload(name, mimeType, null, error);
  }
}

function openParser(request: IncomingMessage, { uploads, uploadBytes, bodyBytes }: UploadLimits): BusboyInstance {
  const { 'content-type': type = '' } = request.headers;
  const { multipartFields: fields, multipartExtraParts, partHeaderBytes: headerSize } = serverLimits;
  const parts = uploads + multipartExtraParts;
  try {
    return new Busboy({
      headers: { 'content-type': type },
      defCharset: 'utf8',
      limits: { fields, files: uploads, fileSize: uploadBytes, fieldSize: bodyBytes, parts, headerSize },
    });
  } catch {
    throw malformed('The body is not valid multipart.');
  }
}
