import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/**
 * What a socket may hold back for a client that does not read, in bytes. Beyond that nothing is pulled for it, and nothing is
 * read from it; each operation may have one event on its way besides.
 */
const maxHeldBytes = 1_048_576;

/** Keeps what waits for one client within bounds. */
export class Backpressure {
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  #draining: Promise<void> | null = null;

  /** `stream`: what the WebSocket writes to. */
  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
    // Whoever asks without reading the answers is not heard until they are read.
    socket.on('message', () => void this.ready());
  }

  /** Resolves when the client has room for more, or is gone. */
  ready(): Promise<void> {
    if (this.#draining) return this.#draining;
    if (this.#socket.bufferedAmount <= maxHeldBytes) return Promise.resolve();
    this.#socket.pause();
    this.#draining = new Promise<void>((resolve) => {
      const done = () => {
        this.#stream.off('drain', done);
        this.#stream.off('close', done);
        this.#draining = null;
        if (this.#socket.readyState === this.#socket.OPEN) this.#socket.resume();
        resolve();
      };
      this.#stream.on('drain', done);
      this.#stream.on('close', done);
    });
    return this.#draining;
  }
}
