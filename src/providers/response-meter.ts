const meters = new WeakMap<AbortSignal, ResponseMeter>();

/**
 * Counts the bytes of a streamed response that bring no content: the reader of the parts subtracts what each part is worth.
 * A provider may stream for long, but what it sends without effect, beside the content, or as one piece is bounded. The
 * signal of a request leads to its meter, because the packages of the vendors pass on nothing else.
 */
export class ResponseMeter {
  /** The bytes that may be outstanding. */
  readonly maxBytes: number;
  /** Is told the bytes of each chunk. The next one is read when it resolves. */
  readonly onReceived: (bytes: number) => Promise<void>;
  #bytes = 0;

  private constructor(maxBytes: number, onReceived: (bytes: number) => Promise<void>) {
    this.maxBytes = maxBytes;
    this.onReceived = onReceived;
  }

  /** Returns a meter for the request that is made with the signal. */
  static of(signal: AbortSignal, maxBytes: number, onReceived: (bytes: number) => Promise<void>): ResponseMeter {
    const meter = new ResponseMeter(maxBytes, onReceived);
    meters.set(signal, meter);
    return meter;
  }

  /** The meter of a request; undefined: its response is read whole. */
  static find(signal: AbortSignal | null | undefined): ResponseMeter | undefined {
    return signal ? meters.get(signal) : undefined;
  }

  /** Counts bytes. Returns false beyond the limit. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.maxBytes;
  }

  /** Content has arrived that may have taken as many bytes. */
  subtract(bytes: number): void {
    this.#bytes = Math.max(this.#bytes - bytes, 0);
  }
}
