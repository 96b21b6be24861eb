import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { Backpressure } from './backpressure.ts';
import { type LivenessLimits, watchSocket } from './liveness.ts';

/** What is left to a client that is sent away, to take what waits for it and hear why. */
const lastWordsMs = 5000;

/** A WebSocket as a server needs it that cannot choose its clients. */
export class ClientSocket extends WebSocket {
  #backpressure: Backpressure | null = null;
  #operations = 0;
  #usedAt = Date.now();

  /** Begins to keep what waits for the client within bounds, and to see whether it is there. `stream`: what is written to. */
  attend(stream: Socket, liveness: LivenessLimits): void {
    this.#backpressure = new Backpressure(this, stream);
    watchSocket(this, stream, () => (this.#operations > 0 ? Date.now() : this.#usedAt), liveness);
  }

  /** Resolves when the client has room for more, or is gone. */
  async ready(): Promise<void> {
    await this.#backpressure?.ready();
  }

  /** How many operations are under way. */
  get operations(): number {
    return this.#operations;
  }

  begin(): void {
    this.#operations += 1;
  }

  end(): void {
    this.#operations -= 1;
    this.#usedAt = Date.now();
  }

  /** Never fails: that a client is gone is heard as such, and nothing went wrong. */
  override send(data: unknown, ...rest: unknown[]): void {
    const done = rest.pop() as () => void;
    super.send(data as string, () => done());
  }

  /** Closes for good: a client that does not answer the closing is cut off soon. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    setTimeout(() => this.terminate(), lastWordsMs).unref();
  }
}
