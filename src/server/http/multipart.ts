import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import type { StagedBytes, Staging } from '../../files/staging.ts';
import { Upload } from '../../files/upload.ts';
import { serverLimits } from '../limits.ts';
import type { ParsedOperation } from '../yoga/yoga.ts';
import { BodyError } from './body.ts';

/** The limits of one multipart request. */
export interface UploadLimits {
  /** Bytes of one file. */
  uploadBytes: number;
  /** The number of files. */
  uploads: number;
  /** Bytes of the operation with its variables. */
  bodyBytes: number;
}

const help =
  'Send "operations", then "map", then the files: https://github.com/jaydenseric/graphql-multipart-request-spec';
const malformed = (message: string) => new BodyError(400, `${message} ${help}`);
const tooLarge = (name: string, maxBytes: number) =>
  new BodyError(413, `${name} is larger than the limit of ${maxBytes} bytes.`);

/**
 * Reads an operation with files. Files are written to `staging` as they arrive; an Upload larger than its limit has no
 * bytes. All staged bytes are added to `staged`, which the caller must discard, also if this throws BodyError.
 */
export async function readMultipart(
  request: IncomingMessage,
  staging: Staging,
  limits: UploadLimits,
  staged: StagedBytes[],
): Promise<ParsedOperation> {
  const parser = openParser(request, limits);
  const stage = async (stream: BusboyFileStream) => {
    const bytes = await staging.add(stream, limits.uploadBytes);
    staged.push(bytes);
    // The parser truncates a file at its limit.
    return stream.truncated ? null : bytes;
  };
  const parts = new MultipartParts(parser, limits, stage);
  parts.onFault = () => request.unpipe(parser);
  const fail = (error: Error) => parts.fail(error);
  limitSize(request, limits.uploads * limits.uploadBytes + limits.bodyBytes * 2, fail);
  await new Promise<void>((resolve) => {
    parser.once('finish', resolve);
    parser.once('close', resolve);
    parser.once('error', (error: Error) => {
      fail(malformed(`The body is not valid multipart: ${error.message}.`));
      resolve();
    });
    request.once('close', () => {
      if (!request.complete) fail(malformed('The body is incomplete.'));
      resolve();
    });
    request.pipe(parser);
  });
  // After a fault, the rest of the body is read and dropped.
  request.resume();
  return operationOf(parts.fields, await parts.files());
}

/** The parts of a multipart body as its parser finds them. */
class MultipartParts {
  readonly fields = new Map<string, string>();
  onFault: () => void = () => {};
  readonly #parser: BusboyInstance;
  readonly #files: Array<Promise<[string, Upload]>> = [];
  readonly #streams: Readable[] = [];
  #fault: Error | null = null;

  /** `stage` stores a file; its result is null if the file was too large. */
  constructor(
    parser: BusboyInstance,
    { uploads, bodyBytes }: UploadLimits,
    stage: (stream: BusboyFileStream) => Promise<StagedBytes | null>,
  ) {
    this.#parser = parser;
    parser.on('field', (name, value, _nameTruncated, isTruncated) => {
      if (this.#fault) return;
      if (isTruncated) this.fail(tooLarge(`"${name}"`, bodyBytes));
      this.fields.set(name, value);
    });
    parser.on('file', (key, stream, name, _encoding, mimeType) => {
      if (!this.#accept(stream)) return;
      this.#files.push(stage(stream).then((bytes) => [key, new Upload(name, mimeType, bytes)]));
    });
    const tooMany = () => this.fail(new BodyError(413, `At most ${uploads} files per request.`));
    parser.on('filesLimit', tooMany);
    parser.on('partsLimit', tooMany);
  }

  /** Whether a file is to be staged. */
  #accept(stream: BusboyFileStream): boolean {
    // An error event without a listener would end the process.
    stream.on('error', () => {});
    if (this.#fault) {
      // The packet that had the fault can have more files.
      stream.destroy(this.#fault);
      return false;
    }
    this.#streams.push(stream);
    if (this.fields.has('operations') && this.fields.has('map')) return true;
    this.fail(malformed('A file came before "operations" and "map".'));
    return false;
  }

  /** Stops reading; `files` then throws the first error. */
  fail(error: Error): void {
    this.#fault ??= error;
    this.onFault();
    this.#parser.destroy();
    // Staging would wait for more bytes forever.
    for (const stream of this.#streams) stream.destroy(error);
  }

  /** The files by the names of their parts, once all are staged. */
  async files(): Promise<Map<string, Upload>> {
    const settled = await Promise.allSettled(this.#files);
    if (this.#fault) throw this.#fault;
    return new Map(
      settled.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      }),
    );
  }
}

function openParser(request: IncomingMessage, { uploads, uploadBytes, bodyBytes }: UploadLimits): BusboyInstance {
  const { 'content-type': type = '' } = request.headers;
  const { multipartFields: fields, multipartExtraParts } = serverLimits;
  const parts = uploads + multipartExtraParts;
  try {
    return new Busboy({
      headers: { 'content-type': type },
      defCharset: 'utf8',
      limits: { fields, files: uploads, fileSize: uploadBytes, fieldSize: bodyBytes, parts },
    });
  } catch {
    throw malformed('The body is not valid multipart.');
  }
}

/** Ends a request whose body exceeds a size, whether its parts are kept or not. */
function limitSize(request: IncomingMessage, maxBytes: number, fail: (error: Error) => void): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) return;
    fail(tooLarge('The request body', maxBytes));
    request.destroy();
  });
}

/** The operation, with each file at its path in the map. Throws BodyError if a path or a file is missing. */
function operationOf(fields: Map<string, string>, files: Map<string, Upload>): ParsedOperation {
  const operation = objectIn(fields, 'operations') as unknown as ParsedOperation;
  if (typeof operation.query !== 'string') throw malformed('"operations" has no query.');
  for (const [key, paths] of Object.entries(objectIn(fields, 'map'))) {
    const file = files.get(key);
    if (!file) throw malformed(`The file ${JSON.stringify(key.slice(0, 100))} is missing.`);
    if (!Array.isArray(paths) || paths.length !== 1) throw malformed('"map" must list one path for each file.');
    insert(operation, String(paths[0]), file);
  }
  return operation;
}

function objectIn(fields: Map<string, string>, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(fields.get(name) ?? '');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Malformed JSON has the same error as JSON that is not an object.
  }
  throw malformed(`"${name}" is not a JSON object.`);
}

/** Replaces the null at a path such as `variables.input.file`. Throws BodyError if there is no null. */
function insert(operation: object, path: string, file: Upload): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let parent: unknown = operation;
  for (const name of names) {
    const hasName = typeof parent === 'object' && parent !== null && Object.hasOwn(parent, name);
    parent = hasName ? (parent as Record<string, unknown>)[name] : null;
  }
  const isPath = names[0] === 'variables' && typeof parent === 'object' && parent !== null;
  if (!isPath || !Object.hasOwn(parent as object, last) || (parent as Record<string, unknown>)[last] !== null)
    throw malformed(`The variables have no null at ${JSON.stringify(path.slice(0, 200))} for the file.`);
  Object.assign(parent as object, { [last]: file });
}
