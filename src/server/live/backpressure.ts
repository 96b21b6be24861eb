import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { serverLimits } from '../limits.ts';

/**
 * Bounds the messages buffered for one WebSocket client. While they exceed the limit, nothing is read from the client, and
 * `whenWritable` holds back further events.
 */
export class Backpressure {
  readonly #socket: WebSocket;
  readonly #stream: Socket;
  #draining: Promise<void> | null = null;

  /** `stream`: the TCP socket under the WebSocket. */
  constructor(socket: WebSocket, stream: Socket) {
    this.#socket = socket;
    this.#stream = stream;
    // A client that sends operations without reading their results is paused, too.
    socket.on('message', () => void this.whenWritable());
  }

  /** Resolves when the buffer has room or the socket has closed. */
  whenWritable(): Promise<void> {
    if (this.#draining) return this.#draining;
    if (this.#socket.bufferedAmount <= serverLimits.socketBufferedBytes) return Promise.resolve();
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
