import { InvalidInputError } from '../error.ts';

/** A position in the log of a thread: after the event `seq`, with an offset for each text that is open there. */
export interface Position {
  seq: number;
  /** UTF-16 code units, in the order in which the texts were opened; a missing offset is 0. */
  offsets: number[];
}

/** The stream of a cursor: that of a thread, or of one of its runs. */
export interface CursorScope {
  threadId: string;
  /** The number of the run within its thread; null for the thread. */
  runNumber: number | null;
}

/**
 * The end of the thread's ID: long enough to detect a cursor of another thread, short enough to send with every delta.
 */
const tagOf = (threadId: string) => threadId.slice(-4);

/** The base of the numbers in a cursor. */
const base = 36;
/** The largest integer of the database. */
const maxNumber = 2_147_483_647;

/** Encodes a cursor: `<thread tag>[<run number>].<seq>[.<offset>…]`. It is short because every delta carries one. */
export function encodeCursor({ threadId, runNumber }: CursorScope, { seq, offsets }: Position): string {
  const run = runNumber === null ? '' : runNumber.toString(base);
  let text = `${tagOf(threadId)}${run}.${seq.toString(base)}`;
  const end = offsets.findLastIndex((offset) => offset > 0);
  for (let index = 0; index <= end; index += 1) text += `.${(offsets[index] as number).toString(base)}`;
  return text;
}

/**
 * Decodes a cursor of the thread's stream, or of a stream of one of its runs.
 * Throws InvalidInputError for a malformed cursor and for one of another thread.
 */
export function decodeCursor(threadId: string, text: string): Position & { runNumber: number | null } {
  const malformed = () => InvalidInputError.at('after', 'Not a cursor. Pass the cursor of an event, or eventCursor.');
  const match = /^([0-9a-z]{4})([0-9a-z]{1,6})?\.([0-9a-z]{1,6})((?:\.[0-9a-z]{1,6})*)$/.exec(text);
  if (!match) throw malformed();
  const [, tag, run, seq = '', offsets = ''] = match;
  if (tag !== tagOf(threadId)) throw InvalidInputError.at('after', 'The cursor belongs to another thread.');
  const read = (digits: string) => Number.parseInt(digits, base);
  const position = {
    runNumber: run === undefined ? null : read(run),
    seq: read(seq),
    offsets: offsets.split('.').slice(1).map(read),
  };
  if ([position.runNumber ?? 0, position.seq, ...position.offsets].some((number) => number > maxNumber))
    throw malformed();
  return position;
}
