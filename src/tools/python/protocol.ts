/** A program to run, and how much it may take, print and write. */
export interface RunRequest {
  type: 'run';
  code: string;
  seconds: number;
  outputBytes: number;
  files: number;
  fileBytes: number;
}

/** What an interpreter is told, each with a body of bytes. */
export type ToSandbox =
  | RunRequest
  | { type: 'put'; path: string }
  | { type: 'imports'; code: string }
  | { type: 'install'; name: string };

/** What an interpreter tells. It may have been taken over by what it runs: nothing of it is believed before it is checked. */
export type FromSandbox =
  | { type: 'ready' }
  | { type: 'snapshot' }
  /** The body is what was printed. */
  | { type: 'out' }
  /** The names of modules that a program imports and that are not there. */
  | { type: 'missing'; names: string[] }
  | { type: 'done'; outcome: 'ok' | 'error' | 'timeout'; files: WrittenFile[]; left: number }
  | { type: 'ok' }
  | { type: 'failed'; message: string };

/** A file that a program wrote: the body of the message has the bytes of all, one after the other. */
export interface WrittenFile {
  /** Below /mnt/data. */
  path: string;
  size: number;
}

/** The length of a frame's head: the lengths of its JSON and of its body, each 32 bits. */
export const headLength = 8;

/** A message as it goes over the pipe. */
export function frame(message: ToSandbox | FromSandbox, body: Uint8Array = new Uint8Array()): Uint8Array[] {
  const json = new TextEncoder().encode(JSON.stringify(message));
  const head = new DataView(new ArrayBuffer(headLength));
  head.setUint32(0, json.length);
  head.setUint32(4, body.length);
  return [new Uint8Array(head.buffer), json, body];
}
