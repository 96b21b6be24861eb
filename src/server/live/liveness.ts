import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { closeCode } from './close-code.ts';

/** In milliseconds. */
export interface LivenessLimits {
  /** The interval of pings and checks. */
  pingMs: number;
  /** A client that has neither sent nor read anything for this long is disconnected. */
  silentMs: number;
  /** A socket without an operation for this long is closed. */
  idleMs: number;
}

/**
 * Returns a function that reports whether buffered bytes have left the process since its last call: the client reads, even
 * if slowly. Bytes that went straight to the buffers of the operating system prove nothing.
 */
function readProgress(stream: Socket, buffered: () => number): () => boolean {
  let before = { buffered: 0, sent: 0 };
  return () => {
    const now = { buffered: buffered(), sent: stream.bytesWritten - stream.writableLength };
    const hasProgress = before.buffered > 0 && now.sent > before.sent;
    before = now;
    return hasProgress;
  };
}

/**
 * Closes a socket whose client is gone, does not read, or is idle. A slow client makes some progress between checks; a
 * client whose machine sleeps either wakes up within `silentMs` or reconnects with its cursor. `lastActiveAt`: when an
 * operation was last under way.
 */
export function watchSocket(
  socket: WebSocket,
  stream: Socket,
  lastActiveAt: () => number,
  { pingMs, silentMs, idleMs }: LivenessLimits,
): void {
  let silentChecks = 0;
  const hasProgress = readProgress(stream, () => socket.bufferedAmount);
  const markAlive = () => {
    silentChecks = 0;
  };
  socket.on('pong', markAlive);
  socket.on('message', markAlive);
  const check = () => {
    if (socket.readyState !== socket.OPEN) return;
    if (hasProgress()) markAlive();
    // Checks are counted instead of time: time also passes while this process is suspended.
    silentChecks += 1;
    if (silentChecks * pingMs > silentMs) socket.close(closeCode.tooSlow, 'Nothing was read or answered for too long');
    else if (Date.now() - lastActiveAt() > idleMs) socket.close(closeCode.idle, 'Idle');
    else socket.ping();
  };
  const timer = setInterval(check, pingMs).unref();
  socket.once('close', () => clearInterval(timer));
}

/** Destroys the connection of a response whose buffered bytes have not been read for `silentMs`. */
export function watchResponse(response: ServerResponse, { pingMs, silentMs }: LivenessLimits): void {
  const { socket } = response.req;
  const buffered = () => socket.writableLength;
  const hasProgress = readProgress(socket, buffered);
  let stalledChecks = 0;
  const check = () => {
    stalledChecks = buffered() === 0 || hasProgress() ? 0 : stalledChecks + 1;
    if (stalledChecks * pingMs > silentMs) socket.destroy();
  };
  const timer = setInterval(check, pingMs).unref();
  onceClosed(response, () => clearInterval(timer));
}

/** Calls `done` when a response has been sent or cannot be sent any more. It can be called twice. */
export function onceClosed(response: ServerResponse, done: () => void): void {
  response.once('close', done);
  if (response.socket) return;
  // A response that waits for an earlier one on the same connection has no `close` event when the connection closes.
  const { socket } = response.req;
  socket.once('close', done);
  response.once('close', () => socket.off('close', done));
}
