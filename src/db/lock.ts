import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Another live process uses the folder; `message` is the one line to show. */
export class DataDirInUseError extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `${dataDir} is in use by process ${pid}: an embedded database takes one process. Stop that one, or set DATA_DIR, or use DATABASE_URL for several.`,
    );
  }
}

/** What the kernel says of a process, where it says anything (Linux): its state, and when it was started. */
async function statOf(pid: number): Promise<{ state: string; start: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', start: fields[19] ?? '' };
}

function isKnown(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The pid that holds the lock, or null when nobody does: the process is gone, is dead and only waits for its parent to
 * take note (Z), or its number has been given to another one since.
 */
async function holderOf(content: string): Promise<number | null> {
  const [pid, start] = content.trim().split(' ');
  if (!Number(pid) || !isKnown(Number(pid))) return null;
  const now = await statOf(Number(pid));
  return now.state === 'Z' || (start && now.start !== start) ? null : Number(pid);
}

/**
 * Takes `dataDir/lock` for this process; returns the function that gives it back. A lock whose process was killed is
 * taken over at once. Throws DataDirInUseError while another process lives: nothing in PGlite stops two of them from
 * opening one folder, and that corrupts it.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'lock');
  const mine = `${process.pid} ${(await statOf(process.pid)).start}`;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine);
  try {
    for (;;) {
      try {
        await link(draft, path);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      await dropStaleLock(path, dataDir);
    }
  } finally {
    await rm(draft, { force: true });
  }
  return () => rm(path, { force: true });
}

/** Moves a dead process's lock away; where another process was faster, its lock is put back. */
async function dropStaleLock(path: string, dataDir: string): Promise<void> {
  const seen = await readFile(path, 'utf8').catch(() => null);
  if (seen === null) return;
  const holder = await holderOf(seen);
  if (holder !== null) throw new DataDirInUseError(dataDir, holder);
  const aside = `${path}.stale.${process.pid}`;
  await rename(path, aside).catch(() => {});
  const moved = await readFile(aside, 'utf8').catch(() => seen);
  if (moved !== seen) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}
