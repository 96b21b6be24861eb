/** A program to run, with its limits. */
export interface RunRequest {
  type: 'run';
  code: string;
  /** The time limit, in seconds. */
  seconds: number;
  /** The limit of the output; further output is cut off. */
  outputBytes: number;
  /** The limit of the number of files that it gives back. */
  files: number;
  /** The limit of the bytes of all these files. */
  fileBytes: number;
}

/** A request to an interpreter. Each has a body of bytes. */
export type ToSandbox =
  | RunRequest
  | { type: 'put'; path: string }
  | { type: 'imports'; code: string }
  | { type: 'install'; name: string };

/** A message of an interpreter. A program may have taken over the interpreter: each message is validated. */
export type FromSandbox =
  | { type: 'ready' }
  | { type: 'snapshot' }
  /** The body is output of the program. */
  | { type: 'out' }
  /** The names of the modules that a program imports and that are not installed. */
  | { type: 'missing'; names: string[] }
  | { type: 'done'; outcome: 'ok' | 'error' | 'timeout'; files: WrittenFile[]; left: number }
  | { type: 'ok' }
  | { type: 'failed'; message: string };

/** A file that a program wrote. The body of the message has the bytes of all files, one after the other. */
export interface WrittenFile {
  /** The path below /mnt/data. */
  path: string;
  size: number;
}

/** The bytes of a frame's head: the lengths of its JSON and of its body, 32 bits each. */
export const headLength = 8;

/** Encodes a message for the pipe: head, JSON and body. */
export function frame(message: ToSandbox | FromSandbox, body: Uint8Array = new Uint8Array()): Uint8Array[] {
  const json = new TextEncoder().encode(JSON.stringify(message));
  const head = new DataView(new ArrayBuffer(headLength));
  head.setUint32(0, json.length);
  head.setUint32(4, body.length);
  return [new Uint8Array(head.buffer), json, body];
}
