import type { IncomingMessage } from 'node:http';
import { serverLimits } from '../limits.ts';

/**
 * Calls `onLate` once if a body takes longer than `totalMs`, or if its bytes arrive more slowly on average than
 * `serverLimits.bodyBytesPerSecond`, of which the first `slowMs` are exempt. Returns the function that stops the watch.
 */
export function watchPace(
  request: IncomingMessage,
  { slowMs, totalMs }: { slowMs: number; totalMs: number },
  onLate: () => void,
): () => void {
  const start = performance.now();
  const { socket } = request;
  // The bytes of the connection: no work for each piece of the body.
  const before = socket.bytesRead;
  let isStopped = false;
  const isLate = () => {
    // Bytes that wait to be read are not the client's delay.
    if (isStopped || request.complete || request.readableLength > 0) return false;
    const elapsed = performance.now() - start;
    const expected = ((elapsed - slowMs) / 1000) * serverLimits.bodyBytesPerSecond;
    return elapsed >= totalMs || socket.bytesRead - before < expected;
  };
  const check = () => {
    timer = setTimeout(check, slowMs / 5);
    // Timers run before the system is asked for new bytes: after a pause of this process, they come first.
    if (isLate()) setImmediate(() => isLate() && onLate());
  };
  let timer = setTimeout(check, Math.min(slowMs, totalMs));
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
