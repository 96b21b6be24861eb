import { InvalidInputError } from './error.ts';

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
const tagOf = (threadId: string) => threadId.slice(-6);

/** The text of a cursor: `<thread tag>[-<run number>].<seq>[.<offset>…]`. */
export function encodeCursor(scope: CursorScope, { seq, offsets }: Position): string {
  const run = scope.runNumber === null ? '' : `-${scope.runNumber}`;
  const read = offsets.slice(0, offsets.findLastIndex((offset) => offset > 0) + 1);
  return [`${tagOf(scope.threadId)}${run}`, seq, ...read].join('.');
}

/**
 * Reads a cursor that was given out for the same thread: by it, or by one of its runs.
 * Throws InvalidInputError for anything else.
 */
export function decodeCursor(threadId: string, text: string): Position & { runNumber: number | null } {
  const match = /^([0-9a-z]{6})(?:-(\d{1,9}))?\.(\d{1,9})((?:\.\d{1,9})*)$/.exec(text);
  if (!match) throw InvalidInputError.at('after', 'This is no cursor: pass on the cursor of an event, or eventCursor.');
  const [, tag, run, seq, offsets = ''] = match;
  if (tag !== tagOf(threadId)) throw InvalidInputError.at('after', 'This cursor is of another thread.');
  return {
    runNumber: run === undefined ? null : Number(run),
    seq: Number(seq),
    offsets: offsets.split('.').slice(1).map(Number),
  };
}
