import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { GuardedProcess } from '../process/guarded-process.ts';
import { ingestLimits } from './limits.ts';
import { type ReadPart, UnreadableError } from './protocol.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const packages = fileURLToPath(new URL('../../node_modules/', import.meta.url));

const messageShape = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('part'),
    text: z.string(),
    page: z.int().min(1).nullable(),
    progress: z.number().min(0).max(1),
  }),
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('failed'), message: z.string().max(1000) }),
]);

/** The limits of reading one file. */
export interface ReadLimits {
  /** The time limit, in milliseconds. The time that the caller takes between two parts does not count. */
  readMs: number;
  signal: AbortSignal;
}

/**
 * Reads the text of a file, part by part, in a guarded process. Throws UnreadableError with the reason why the file
 * cannot be read, and the signal's reason when it aborts.
 */
export async function* readFile(bytes: Readable, mimeType: string, limits: ReadLimits): AsyncGenerator<ReadPart> {
  const { readMs, signal } = limits;
  const reader = new GuardedProcess({
    program: `${here}reading-process.ts`,
    args: [mimeType],
    readable: [here, packages],
    heapMb: ingestLimits.readerHeapMb,
    maxRssBytes: ingestLimits.readerRssBytes,
  });
  const abort = () => reader.kill();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  // A process that ends before it has read everything reports the reason, or its end is noticed.
  pipeline(bytes, reader.input).catch(() => {});
  try {
    reader.startClock(readMs);
    for await (const line of createInterface({ input: reader.output })) {
      const message = parse(line);
      if (message === null) {
        reader.kill('misbehaved');
        break;
      }
      if (message.type === 'done') return;
      if (message.type === 'failed') throw new UnreadableError(message.message);
      const leftMs = reader.stopClock();
      yield message;
      reader.startClock(leftMs);
    }
    await new Promise<void>((resolve) => reader.onEnd(resolve));
    signal.throwIfAborted();
    throw reader.startError ?? new UnreadableError(reasonOf(reader, readMs));
  } finally {
    signal.removeEventListener('abort', abort);
    reader.kill();
    bytes.destroy();
  }
}

/** A message of the process; null: it is malformed, as is the last line of a process that was killed. */
function parse(line: string): z.output<typeof messageShape> | null {
  try {
    return messageShape.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function reasonOf({ cause }: GuardedProcess, readMs: number): string {
  if (cause === 'late') return `Reading the file took longer than ${readMs / 1000} s.`;
  return cause === 'memory' ? 'Reading the file took too much memory.' : 'The file could not be read.';
}
