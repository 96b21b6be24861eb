import { InvalidInputError } from '../error.ts';

/** A place in the events of a thread: after the event `seq`, with so much read of each text that was open then. */
export interface Position {
  seq: number;
  /** In the order in which the texts were opened; a missing one is 0. In UTF-16 code units. */
  offsets: number[];
}

/** Whose events a cursor counts: those of a thread, or of one run of it. */
export interface CursorScope {
  threadId: string;
  /** The number of the run within its thread; null for the thread. */
  runNumber: number | null;
}

/** A few characters of the thread's id: enough to tell a cursor of another thread, short enough to send each time. */
const tagOf = (threadId: string) => threadId.slice(-4);

/** Numbers stand in a cursor with the digits 0 to 9 and a to z. */
const base = 36;
/** What the database can hold. */
const maxNumber = 2_147_483_647;

/** The text of a cursor: `<thread tag>[<run number>].<seq>[.<offset>…]`. It goes with every token, and is short for that. */
export function encodeCursor({ threadId, runNumber }: CursorScope, { seq, offsets }: Position): string {
  const run = runNumber === null ? '' : runNumber.toString(base);
  let text = `${tagOf(threadId)}${run}.${seq.toString(base)}`;
  const end = offsets.findLastIndex((offset) => offset > 0);
  for (let index = 0; index <= end; index += 1) text += `.${(offsets[index] as number).toString(base)}`;
  return text;
}

/**
 * Reads a cursor that was given out for the same thread: by it, or by one of its runs.
 * Throws InvalidInputError for anything else.
 */
export function decodeCursor(threadId: string, text: string): Position & { runNumber: number | null } {
  const noCursor = () =>
    InvalidInputError.at('after', 'This is no cursor: pass on the cursor of an event, or eventCursor.');
  const match = /^([0-9a-z]{4})([0-9a-z]{1,6})?\.([0-9a-z]{1,6})((?:\.[0-9a-z]{1,6})*)$/.exec(text);
  if (!match) throw noCursor();
  const [, tag, run, seq = '', offsets = ''] = match;
  if (tag !== tagOf(threadId)) throw InvalidInputError.at('after', 'This cursor is of another thread.');
  const read = (digits: string) => Number.parseInt(digits, base);
  const position = {
    runNumber: run === undefined ? null : read(run),
    seq: read(seq),
    offsets: offsets.split('.').slice(1).map(read),
  };
  if ([position.runNumber ?? 0, position.seq, ...position.offsets].some((number) => number > maxNumber))
    throw noCursor();
  return position;
}
