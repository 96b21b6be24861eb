import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Memory } from '../../async/shared-memory.ts';
import { serverLimits } from '../limits.ts';
import { closeCode } from './close-code.ts';
import { FrameMeter } from './frame-meter.ts';

/** Memory that a piece takes besides its bytes: the library keeps each piece as it arrived. */
const pieceBytes = 256;

/**
 * Bounds what a WebSocket client has sent of a message that is not complete. Until `admit` a message has at most
 * `serverLimits.anonymousBytes`; after it, what exceeds them is reserved in a memory. Closes the socket beyond either, and
 * when a message takes too long.
 */
export class IncomingMessages {
  readonly #socket: WebSocket;
  #memory: Memory | null = null;
  readonly #meter = new FrameMeter();
  readonly #messageMs: number;
  #late: NodeJS.Timeout | null = null;
  #reserved = 0;
  /** Bytes in memory for a message that is not complete. */
  #held = 0;

  /** `stream`: the TCP socket under the WebSocket. `messageMs`: how long a message may take to arrive. */
  constructor(socket: WebSocket, stream: Socket, messageMs: number) {
    this.#socket = socket;
    this.#messageMs = messageMs;
    // Before the WebSocket reads the same bytes.
    stream.prependListener('data', (bytes: Buffer) => this.#read(bytes));
    stream.once('close', () => this.#release());
  }

  /** Lifts the limit of sockets without an accepted credential. `memory`: of the client. */
  admit(memory: Memory): void {
    this.#memory ??= memory;
  }

  #read(bytes: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const { messages } = this.#meter;
    this.#meter.read(bytes, () => {
      if (!this.#memory && this.#meter.announced > serverLimits.anonymousBytes) this.#refuseStranger();
    });
    if (this.#meter.messages > messages) this.#release();
    if (this.#meter.announced === 0) return;
    this.#held += bytes.length + pieceBytes;
    this.#late ??= setTimeout(() => this.#close(closeCode.tooSlow, 'A message took too long'), this.#messageMs).unref();
    if (this.#held <= serverLimits.anonymousBytes) return;
    if (!this.#memory) {
      if (this.#held > 2 * serverLimits.anonymousBytes) this.#refuseStranger();
      return;
    }
    const wanted = this.#held - serverLimits.anonymousBytes;
    if (this.#memory.reserve(wanted - this.#reserved)) this.#reserved = wanted;
    else this.#close(closeCode.tooMany, 'The server is reading too many large messages');
  }

  #release(): void {
    if (this.#late) clearTimeout(this.#late);
    this.#late = null;
    this.#memory?.release(this.#reserved);
    this.#reserved = 0;
    this.#held = 0;
  }

  #refuseStranger(): void {
    this.#close(closeCode.tooLarge, `At most ${serverLimits.anonymousBytes} bytes before a credential`);
  }

  /** Closes the socket and reads nothing more from it. */
  #close(code: number, reason: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.close(code, reason);
    this.#socket.pause();
  }
}
