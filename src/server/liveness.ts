import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { closeCode } from './close-code.ts';

/** In milliseconds. */
export interface LivenessLimits {
  /** How often a client is asked whether it is still there, and looked at. */
  askEveryMs: number;
  /** A client that has neither answered nor taken anything for so long is given up. */
  silentMs: number;
  /** A socket without an operation for so long is closed. */
  idleMs: number;
}

/** What is left to a client that is given up, to take what waits for it and hear why. */
const lastWordsMs = 5000;

/**
 * Closes a socket whose client is gone, does not read, or wants nothing. A client that is merely slow takes a little now
 * and then; one whose machine sleeps comes back within `silentMs`, or resumes with its cursor.
 */
export function watchSocket(
  socket: WebSocket,
  stream: Socket,
  isIdle: () => boolean,
  { askEveryMs, silentMs, idleMs }: LivenessLimits,
): void {
  let heardAt = Date.now();
  let busyAt = Date.now();
  let flushed = 0;
  let held = 0;
  const hear = () => {
    heardAt = Date.now();
  };
  socket.on('pong', hear);
  socket.on('message', hear);
  const look = () => {
    const now = Date.now();
    if (!isIdle()) busyAt = now;
    const isFlushed = stream.bytesWritten - stream.writableLength;
    // What waited has become less: somebody reads, if slowly. What merely fits into the system's buffers says nothing.
    if (held > 0 && isFlushed > flushed) hear();
    flushed = isFlushed;
    held = socket.bufferedAmount;
    if (now - heardAt > silentMs) {
      socket.close(closeCode.tooSlow, 'Nothing was read or answered for too long');
      setTimeout(() => socket.terminate(), lastWordsMs).unref();
    } else if (now - busyAt > idleMs) socket.close(closeCode.idle, 'Idle');
    else if (socket.readyState === socket.OPEN) socket.ping();
  };
  const timer = setInterval(look, askEveryMs).unref();
  socket.once('close', () => clearInterval(timer));
}
