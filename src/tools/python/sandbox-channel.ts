import { readSync, writeSync } from 'node:fs';
import { type FromSandbox, frame, headLength, type ToSandbox } from './protocol.ts';

// The channel to the server: requests arrive on descriptor 0, messages leave on descriptor 3. Both are synchronous: a
// program that never returns to the event loop can still send its output.

const sleepCell = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;
const exit = (process as unknown as { reallyExit: (code: number) => never }).reallyExit.bind(process);

function write(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(3, bytes, offset, bytes.length - offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') exit(70);
      wait(sleepCell, 0, 0, 2);
    }
  }
}

function read(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length; ) {
    try {
      const count = readSync(0, bytes, offset, length - offset, null);
      // The server closed the channel, or has ended.
      if (count === 0) exit(0);
      offset += count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') exit(0);
      wait(sleepCell, 0, 0, 5);
    }
  }
  return bytes;
}

/** Sends a message to the server. */
export function send(message: FromSandbox, body?: Uint8Array): void {
  for (const bytes of frame(message, body)) write(bytes);
}

/** Waits for the next request of the server. */
export function nextRequest(): { request: ToSandbox; body: Uint8Array } {
  const head = new DataView(read(headLength).buffer);
  const request = JSON.parse(new TextDecoder().decode(read(head.getUint32(0)))) as ToSandbox;
  return { request, body: read(head.getUint32(4)) };
}

/** Ends the process without running exit handlers. */
export const end = (code: number): never => exit(code);
