import { readFile, writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { retry } from '../async/retry.ts';

/**
 * The nice value: in contention, a process of normal priority gets three times as much of a processor. With more, programs
 * run into their time limits on a busy machine.
 */
const nice = 5;
/** Linux lets an unprivileged user change the priority of one autogroup in 100 ms, and answers EAGAIN before that. */
const again = { tries: 50, waitMs: 120 };

/**
 * Lets other processes have the CPU first, and the kernel end this one first when memory runs out. Has no effect on a process
 * that has ended, or where the system does not allow it. `ended`: aborts when the process ends.
 */
export function lowerPriority(pid: number, ended: AbortSignal): void {
  try {
    setPriority(pid, nice);
  } catch {
    // The process has ended already, or the system does not allow it.
  }
  writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(() => {});
  lowerAutogroup(pid, ended).catch(() => {});
}

/**
 * A detached process is a session of its own, which Linux schedules as a group (sched(7), "The autogroup feature"): within it
 * the nice value of its only process says nothing, and the group has a normal priority until it gets a value itself.
 */
async function lowerAutogroup(pid: number, signal: AbortSignal): Promise<void> {
  const path = `/proc/${pid}/autogroup`;
  const isOwn = async () => (await readFile(path, 'utf8')) !== (await readFile('/proc/self/autogroup', 'utf8'));
  // Without a group of its own, the value would be that of this process.
  if (!(await isOwn())) return;
  await retry(() => writeFile(path, String(nice)), {
    tries: again.tries,
    wait: (error) => ((error as NodeJS.ErrnoException).code === 'EAGAIN' ? again.waitMs : null),
    signal,
  });
}
