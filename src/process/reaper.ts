import { type ChildProcess, spawn } from 'node:child_process';

/**
 * A shell program that kills processes when its input ends: a line `7` adds the process 7, a line `-7` removes it. A shell
 * needs a megabyte, a second Node.js 40.
 */
const program = `trap '' HUP INT TERM
pids=' '
while read -r line; do
  case $line in
    -*) pid=\${line#-}; case $pids in *" $pid "*) pids="\${pids%%" $pid "*} \${pids#*" $pid "}" ;; esac ;;
    *) pids="$pids$line " ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done`;

/**
 * Kills processes when this process ends, however it ends: the kernel closes the pipe to a shell, which kills them. Where
 * there is no shell it has no effect.
 */
class Reaper {
  readonly #pids = new Set<number>();
  #shell: ChildProcess | null = null;
  #canStart = true;

  /** Adds a process. Returns the function that removes it, to call when it has ended. */
  watch(pid: number): () => void {
    this.#pids.add(pid);
    if (this.#shell) this.#send(`${pid}`);
    else this.#start();
    return () => {
      if (this.#pids.delete(pid)) this.#send(`-${pid}`);
    };
  }

  #start(): void {
    if (!this.#canStart) return;
    // Detached: a signal for the process group of this process does not reach it.
    const shell = spawn('/bin/sh', ['-c', program], {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#shell = shell;
    const onEnd = () => {
      if (this.#shell === shell) this.#shell = null;
    };
    shell.once('error', () => {
      this.#canStart = false;
      onEnd();
    });
    shell.once('exit', onEnd);
    shell.stdin?.on('error', () => {});
    // It does not keep this process alive.
    shell.unref();
    (shell.stdin as (typeof shell.stdin & { unref?: () => void }) | null)?.unref?.();
    for (const pid of this.#pids) this.#send(`${pid}`);
  }

  #send(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}

/** The reaper of this process. It starts with the first process that it watches. */
export const reaper = new Reaper();
