import { readSync, writeSync } from 'node:fs';
import { type FromSandbox, frame, headLength, type ToSandbox } from './protocol.ts';

// The sandbox talks over pipes, one thing at a time: what it is told comes in on 0, what it tells goes out on 3. Nothing here
// waits for an event: a program that never gives way must still be heard.

const napper = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;
const leave = (process as unknown as { reallyExit: (code: number) => never }).reallyExit.bind(process);

function write(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(3, bytes, offset, bytes.length - offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') leave(70);
      wait(napper, 0, 0, 2);
    }
  }
}

function read(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let offset = 0; offset < length; ) {
    try {
      const count = readSync(0, bytes, offset, length - offset, null);
      // Whoever started it is gone.
      if (count === 0) leave(0);
      offset += count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') leave(0);
      wait(napper, 0, 0, 5);
    }
  }
  return bytes;
}

/** Tells the server. */
export function tell(message: FromSandbox, body?: Uint8Array): void {
  for (const bytes of frame(message, body)) write(bytes);
}

/** Waits for the next message of the server. */
export function nextMessage(): { message: ToSandbox; body: Uint8Array } {
  const head = new DataView(read(headLength).buffer);
  const message = JSON.parse(new TextDecoder().decode(read(head.getUint32(0)))) as ToSandbox;
  return { message, body: read(head.getUint32(4)) };
}

/** Ends the process at once. */
export const end = (code: number): never => leave(code);
