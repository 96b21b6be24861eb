import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Another live process uses the data folder. The message is one line for the operator. */
export class DataDirInUseError extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `${dataDir} is in use by process ${pid}. The embedded database supports one process: stop the other process, set DATA_DIR to another folder, or set DATABASE_URL to run several processes.`,
    );
  }
}

/** The state and the start time of a process, from the kernel. Both are '' where there is no /proc. */
async function statOf(pid: number): Promise<{ state: string; start: string }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', start: fields[19] ?? '' };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * The pid of the live process that wrote a lock file; null: it has ended, is a zombie (Z), or its pid now belongs to
 * another process.
 */
async function holderOf(content: string): Promise<number | null> {
  const [pid, start] = content.trim().split(' ');
  if (!Number(pid) || !exists(Number(pid))) return null;
  const now = await statOf(Number(pid));
  return now.state === 'Z' || (start && now.start !== start) ? null : Number(pid);
}

/**
 * Acquires `dataDir/lock` for this process and returns the function that releases it. The lock of a dead process is taken
 * over at once. Throws DataDirInUseError while another process holds it: PGlite does not prevent two processes from
 * opening one folder, which corrupts the data.
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

/** Removes the lock of a dead process. Restores the lock if another process replaced it meanwhile. */
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
