import type { Readable } from 'node:stream';
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy';
import type { Upload } from '../../files/upload.ts';
import { BodyError, tooLarge } from './body-error.ts';
import { malformed } from './multipart-operation.ts';

/** A file of a multipart body as its part describes it. `name`: '' if the part has none. */
export interface FilePart {
  stream: BusboyFileStream;
  name: string;
  mimeType: string;
}

interface PartsOptions {
  /** The number of files. */
  uploads: number;
  /** Bytes of one field. */
  bodyBytes: number;
  /** Stores a file. */
  stage: (part: FilePart) => Promise<Upload>;
}

/** The parts of a multipart body as its parser finds them. */
export class MultipartParts {
  readonly fields = new Map<string, string>();
  /** Rejects with the first fault of the body. */
  readonly failed: Promise<never>;
  readonly #parser: BusboyInstance;
  readonly #stage: PartsOptions['stage'];
  readonly #files = new Map<string, Promise<Upload>>();
  readonly #streams: Readable[] = [];
  readonly #fail: (error: unknown) => void;
  #hasFailed = false;

  constructor(parser: BusboyInstance, { uploads, bodyBytes, stage }: PartsOptions) {
    const { promise, reject } = Promise.withResolvers<never>();
    // Whether anybody waits for it depends on when the fault happens.
    promise.catch(() => {});
    this.failed = promise;
    this.#fail = reject;
    this.#parser = parser;
    this.#stage = stage;
    parser.on('field', (name: string | undefined, value, _nameTruncated, isTruncated) => {
      if (isTruncated) this.fail(tooLarge(`"${name}"`, bodyBytes));
      else if (name === undefined) this.fail(malformed('A part has no name.'));
      else if (this.fields.has(name)) this.fail(malformed('Two parts have the same name.'));
      else this.fields.set(name, value);
    });
    parser.on('file', (key: string | undefined, stream, name, _encoding, mimeType) =>
      this.#add(key, { stream, name: name ?? '', mimeType }),
    );
    const tooMany = () => this.fail(new BodyError(413, `At most ${uploads} files per request.`));
    parser.on('filesLimit', tooMany);
    parser.on('partsLimit', tooMany);
    parser.on('error', (error: Error) => this.fail(malformed(`The body is not valid multipart: ${error.message}.`)));
  }

  /** Whether both fields have arrived: what follows are files, whose bytes do not stay in memory. */
  get hasFields(): boolean {
    return this.fields.has('operations') && this.fields.has('map');
  }

  #add(key: string | undefined, part: FilePart): void {
    const { stream } = part;
    // An error event without a listener would end the process.
    stream.on('error', () => {});
    this.#streams.push(stream);
    // The packet that had the fault can have more files.
    if (this.#hasFailed) stream.destroy();
    else if (!this.hasFields) this.fail(malformed('A file came before "operations" and "map".'));
    else if (key === undefined) this.fail(malformed('A part has no name.'));
    else if (this.#files.has(key)) this.fail(malformed('Two parts have the same name.'));
    else {
      const staged = this.#stage(part);
      this.#files.set(key, staged);
      staged.catch((error) => this.fail(error));
    }
  }

  /** Stops parsing. */
  fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#fail(error);
    this.#parser.destroy();
    // Staging would wait for more bytes forever.
    for (const stream of this.#streams) stream.destroy();
  }

  /** Resolves when no file is being staged any more. Never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#files.values());
  }

  /** The files by the names of their parts, once all are staged. Throws the first fault. */
  async files(): Promise<Map<string, Upload>> {
    const files = Promise.all([...this.#files].map(async ([key, staged]) => [key, await staged] as const));
    return new Map(await Promise.race([files, this.failed]));
  }
}
