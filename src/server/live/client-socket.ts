import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { MemoryHolder, SharedMemory } from '../../async/shared-memory.ts';
import type { Timing } from '../../config/timing.ts';
import { hasMoreValues } from '../json-values.ts';
import { serverLimits } from '../limits.ts';
import { Backpressure } from './backpressure.ts';
import { closeCode } from './close-code.ts';
import { IncomingMessages } from './incoming-messages.ts';
import { type LivenessLimits, watchSocket } from './liveness.ts';
import { SocketOperations } from './socket-operations.ts';

/** Milliseconds in which messages that are under way start or end operations, before their number counts. */
const settleMs = 500;

/** A WebSocket to an untrusted client: with bounded buffers, and closed if the client is gone, stalled or idle. */
export class ClientSocket extends WebSocket {
  /** The operations under way. */
  readonly operations = new SocketOperations();
  #backpressure: Backpressure | null = null;
  #incoming: IncomingMessages | null = null;
  #memory: SharedMemory | null = null;
  #finalMessageMs = 0;
  /** Operations that wait for their turn. */
  #waiting = 0;

  /**
   * Starts to watch the client. `stream`: the TCP socket. `memory`: shared by all messages that are being received.
   * `timing.finalMessageMs`: how long a closing client may take to read the buffered messages and to answer the close frame.
   */
  start(stream: Socket, liveness: LivenessLimits, memory: SharedMemory, timing: Timing['socket']): void {
    this.#finalMessageMs = timing.finalMessageMs;
    this.#memory = memory;
    this.#incoming = new IncomingMessages(this, stream, timing.messageMs);
    this.#backpressure = new Backpressure(this, stream);
    this.once('close', () => this.operations.releaseAnswers());
    watchSocket(this, stream, () => this.operations.lastActiveAt, liveness);
  }

  /** Lets the client send large messages: its credential has been accepted. */
  admit(holder: MemoryHolder): void {
    if (this.#memory) this.#incoming?.admit(this.#memory.of(holder));
  }

  /** Resolves when the buffer has room or the socket has closed. */
  async whenWritable(): Promise<void> {
    await this.#backpressure?.whenWritable();
  }

  /** Reads nothing more from the client until an operation of it can go on: those that wait take memory. */
  async pauseUntil(turn: Promise<void>): Promise<void> {
    this.#waiting += 1;
    this.pause();
    await turn;
    this.#waiting -= 1;
    if (this.#waiting === 0 && this.readyState === WebSocket.OPEN) this.resume();
  }

  /** Refuses a message before anything parses it, if it has too many values. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'message' || !hasMoreValues(args[0] as Buffer, serverLimits.jsonValues))
      return super.emit(event, ...args);
    this.close(closeCode.tooLarge, `At most ${serverLimits.jsonValues} JSON values in a message`);
    return true;
  }

  /** Never fails: a lost connection is reported by `close`, and is no error. */
  override send(data: unknown, ...rest: unknown[]): void {
    const done = rest.pop() as () => void;
    super.send(data as string, () => done());
  }

  /** Closes the socket when its operations have ended with their errors, or after a while. */
  async closeWhenIdle(code: number, reason: string): Promise<void> {
    await delay(settleMs, undefined, { ref: false });
    await this.operations.whenIdle(this.#finalMessageMs);
    this.close(code, reason);
  }

  /** Closes the socket, and terminates the connection if the client does not answer in time. */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, reason);
    setTimeout(() => this.terminate(), this.#finalMessageMs).unref();
  }
}
