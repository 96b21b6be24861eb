import { spawn } from 'node:child_process';
import { readFile as readText } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ReadPart, UnreadableError } from './protocol.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const packages = fileURLToPath(new URL('../../node_modules/', import.meta.url));
const timeoutMs = 120_000;
const maxRssBytes = 1_500_000_000;
const watchEveryMs = 200;

const told = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('part'),
    text: z.string(),
    page: z.int().min(1).nullable(),
    progress: z.number().min(0).max(1),
  }),
  z.object({ type: z.literal('done') }),
  z.object({ type: z.literal('failed'), message: z.string().max(1000) }),
]);

/**
 * Reads the text of a file, part by part, in a process of its own. Throws UnreadableError, which says why it cannot be read;
 * the signal's reason when it aborts.
 */
export async function* readFile(bytes: Readable, mimeType: string, signal: AbortSignal): AsyncGenerator<ReadPart> {
  const child = spawn(
    process.execPath,
    [
      '--permission',
      ...[here, packages].map((path) => `--allow-fs-read=${path}`),
      '--no-addons',
      '--no-experimental-sqlite',
      '--disallow-code-generation-from-strings',
      '--no-warnings',
      '--max-old-space-size=1024',
      `${here}reading-process.ts`,
      mimeType,
    ],
    { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'], detached: true },
  );
  let why: Error | null = null;
  const end = (error: Error) => {
    why ??= error;
    child.kill('SIGKILL');
  };
  const abort = () => end(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const late = () => end(new UnreadableError(`Reading it took longer than ${timeoutMs / 1000} s.`));
  let leftMs = timeoutMs;
  let since = Date.now();
  let timer = setTimeout(late, leftMs);
  const watch = setInterval(async () => {
    const statm = await readText(`/proc/${child.pid}/statm`, 'utf8').catch(() => '');
    if (Number(statm.split(' ')[1] ?? 0) * 4096 > maxRssBytes)
      end(new UnreadableError('Reading it took too much memory.'));
  }, watchEveryMs);
  child.once('error', end);
  // A process that ends early has said why, or is seen to have ended.
  pipeline(bytes, child.stdin).catch(() => {});
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const message = told.parse(JSON.parse(line));
      if (message.type === 'done') return;
      if (message.type === 'failed') throw new UnreadableError(message.message);
      // What is done with it takes nothing of its time.
      clearTimeout(timer);
      leftMs -= Date.now() - since;
      yield message;
      since = Date.now();
      timer = setTimeout(late, leftMs);
    }
    throw why ?? new UnreadableError('It could not be read: reading it failed.');
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    signal.removeEventListener('abort', abort);
    child.kill('SIGKILL');
    bytes.destroy();
  }
}
