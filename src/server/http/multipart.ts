import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import type { StagedBytes, Staging } from '../../files/staging.ts';
import { Upload } from '../../files/upload.ts';
import { BodyError } from './body.ts';

/** What may come with one request. */
export interface UploadLimits {
  /** In one file. */
  uploadBytes: number;
  /** How many files. */
  uploads: number;
  /** In the operation and its variables. */
  bodyBytes: number;
}

/** An operation as it came by the GraphQL multipart request convention, its files in the variables. */
export interface MultipartOperation {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

const help =
  'Send "operations", then "map", then the files: https://github.com/jaydenseric/graphql-multipart-request-spec';
const wrong = (message: string) => new BodyError(400, `${message} ${help}`);

/**
 * Reads an operation with files. Files go to the staging as they come; what is larger than a file may be is not kept, which
 * its Upload says. `staged` is given all that was staged, also when this throws BodyError.
 */
export async function readMultipart(
  request: IncomingMessage,
  staging: Staging,
  limits: UploadLimits,
  staged: StagedBytes[],
): Promise<MultipartOperation> {
  const { uploadBytes, uploads, bodyBytes } = limits;
  const parser = openParser(request, limits);
  const fields = new Map<string, string>();
  const streams: Readable[] = [];
  const pending: Array<Promise<[string, Upload]>> = [];
  let fault: Error | null = null;
  const fail = (error: Error) => {
    fault ??= error;
    request.unpipe(parser);
    parser.destroy();
    // What is being staged would wait for more for ever.
    for (const stream of streams) stream.destroy(error);
  };
  parser.on('field', (name, value, _nameTruncated, isTruncated) => {
    if (fault) return;
    if (isTruncated) fail(new BodyError(413, `"${name}" is larger than ${bodyBytes} bytes, the limit.`));
    fields.set(name, value);
  });
  parser.on('file', (key, stream, name, _encoding, mimeType) => {
    // A stream that fails without a listener would end the process.
    stream.on('error', () => {});
    // What was in the same packet comes all the same.
    if (fault) return void stream.destroy(fault);
    streams.push(stream);
    if (!fields.has('operations') || !fields.has('map')) return fail(wrong('A file came before what it is for.'));
    pending.push(stage(stream, staging, uploadBytes, staged).then((bytes) => [key, new Upload(name, mimeType, bytes)]));
  });
  const tooMany = () => fail(new BodyError(413, `At most ${uploads} files come with one request.`));
  parser.on('filesLimit', tooMany);
  parser.on('partsLimit', tooMany);
  boundSize(request, uploads * uploadBytes + bodyBytes * 2, fail);
  await new Promise<void>((resolve) => {
    parser.once('finish', resolve);
    parser.once('close', resolve);
    parser.once('error', (error: Error) => {
      fail(wrong(`This is no multipart body: ${error.message}.`));
      resolve();
    });
    request.once('close', () => {
      if (!request.complete) fail(wrong('The body broke off.'));
      resolve();
    });
    request.pipe(parser);
  });
  if (fault) request.resume();
  const settled = await Promise.allSettled(pending);
  if (fault) throw fault;
  const files = settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  return placed(fields, new Map(files));
}

function openParser(request: IncomingMessage, { uploads, uploadBytes, bodyBytes }: UploadLimits) {
  const { 'content-type': type = '' } = request.headers;
  try {
    return new Busboy({
      headers: { 'content-type': type },
      defCharset: 'utf8',
      limits: { fields: 2, files: uploads, fileSize: uploadBytes, fieldSize: bodyBytes, parts: uploads + 10 },
    });
  } catch {
    throw wrong('This is no multipart body.');
  }
}

/** Whoever sends files may send so much in all, whatever becomes of them. */
function boundSize(request: IncomingMessage, maxBytes: number, fail: (error: Error) => void): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) return;
    fail(new BodyError(413, `The request body is larger than ${maxBytes} bytes, the limit.`));
    request.destroy();
  });
}

async function stage(
  stream: Readable & BusboyFileStream,
  staging: Staging,
  maxBytes: number,
  staged: StagedBytes[],
): Promise<StagedBytes | null> {
  // The parser cuts what is too large.
  const bytes = await staging.add(stream, maxBytes);
  staged.push(bytes);
  return stream.truncated ? null : bytes;
}

/** The operation with each file where the map says. Throws BodyError where the two do not fit. */
function placed(fields: Map<string, string>, files: Map<string, Upload>): MultipartOperation {
  const operation = objectIn(fields, 'operations') as unknown as MultipartOperation;
  if (typeof operation.query !== 'string') throw wrong('"operations" has no query.');
  for (const [key, paths] of Object.entries(objectIn(fields, 'map'))) {
    const file = files.get(key);
    if (!file) throw wrong(`The file ${JSON.stringify(key.slice(0, 100))} did not come.`);
    if (!Array.isArray(paths) || paths.length !== 1) throw wrong('"map" gives each file a list of one path.');
    place(operation, String(paths[0]), file);
  }
  return operation;
}

function objectIn(fields: Map<string, string>, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(fields.get(name) ?? '');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // It is answered like everything else that is no object.
  }
  throw wrong(`"${name}" is no JSON object.`);
}

function place(operation: object, path: string, file: Upload): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at: unknown = operation;
  for (const name of names)
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? at[name as never] : null;
  const isThere = names[0] === 'variables' && typeof at === 'object' && at !== null && Object.hasOwn(at, last);
  if (!isThere || at?.[last as never] !== null)
    throw wrong(`Nothing waits for a file at ${JSON.stringify(path.slice(0, 200))}: put null there.`);
  Object.assign(at as object, { [last]: file });
}
