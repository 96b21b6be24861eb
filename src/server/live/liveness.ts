import type { ServerResponse } from 'node:http';
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

/**
 * Tells whether something of what waited for a client has left since it was last asked: then somebody reads, if slowly. What
 * merely fits into the buffers of the system says nothing.
 */
function taking(stream: Socket, held: () => number): () => boolean {
  let before = { held: 0, left: 0 };
  return () => {
    const now = { held: held(), left: stream.bytesWritten - stream.writableLength };
    const isTaking = before.held > 0 && now.left > before.left;
    before = now;
    return isTaking;
  };
}

/**
 * Closes a socket whose client is gone, does not read, or wants nothing. A client that is merely slow takes a little now
 * and then; one whose machine sleeps comes back within `silentMs`, or resumes with its cursor. `usedAt`: when an operation was
 * last under way.
 */
export function watchSocket(
  socket: WebSocket,
  stream: Socket,
  usedAt: () => number,
  { askEveryMs, silentMs, idleMs }: LivenessLimits,
): void {
  let unheard = 0;
  const isTaking = taking(stream, () => socket.bufferedAmount);
  const hear = () => {
    unheard = 0;
  };
  socket.on('pong', hear);
  socket.on('message', hear);
  const look = () => {
    if (socket.readyState !== socket.OPEN) return;
    // Looks are counted, not time: if it was this process that slept, nobody else was silent.
    if (isTaking()) hear();
    unheard += 1;
    if (unheard * askEveryMs > silentMs) socket.close(closeCode.tooSlow, 'Nothing was read or answered for too long');
    else if (Date.now() - usedAt() > idleMs) socket.close(closeCode.idle, 'Idle');
    else socket.ping();
  };
  const timer = setInterval(look, askEveryMs).unref();
  socket.once('close', () => clearInterval(timer));
}

/** Breaks off an answer of which nothing has been read for too long, though more waits. */
export function watchResponse(response: ServerResponse, { askEveryMs, silentMs }: LivenessLimits): void {
  const { socket } = response;
  if (!socket) return;
  const held = () => socket.writableLength;
  const isTaking = taking(socket, held);
  let untaken = 0;
  const look = () => {
    untaken = held() === 0 || isTaking() ? 0 : untaken + 1;
    if (untaken * askEveryMs > silentMs) response.destroy();
  };
  const timer = setInterval(look, askEveryMs).unref();
  response.once('close', () => clearInterval(timer));
}
