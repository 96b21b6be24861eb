import { buffer } from 'node:stream/consumers';
import { untilAborted } from '../../async/until-aborted.ts';
import type { Logger } from '../../log.ts';
import type { CallContext } from '../call-context.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { type DeathCause, type Done, InterpreterDiedError, SandboxError } from './interpreter.ts';
import type { Packages } from './packages.ts';
import type { CheckedOut, InterpreterPool } from './pool.ts';
import { WheelError } from './wheel-source.ts';

/** How much a call may print and write. */
const limits = { outputBytes: 200_000, files: 20, fileBytes: 50_000_000 };

const description = `Runs Python 3 and answers what it prints, and the value of its last expression. Variables and files in /mnt/data stay for later calls in this conversation. The user's files are in /mnt/data. Files that the program writes there are given to the user: name them in your answer as sandbox:/mnt/data/<name>. There is no network.`;

/** What the tool works with. */
export interface PythonParts {
  pool: InterpreterPool;
  /** null: there is the standard library alone. */
  packages: Packages | null;
  log: Logger;
}

/** Python that the model writes, run in a process that can do nothing but compute. */
export function codeInterpreter(open: () => Promise<PythonParts>, timeoutSeconds: number): ServerTool {
  return {
    kind: 'CODE_INTERPRETER',
    name: 'code_interpreter',
    description,
    parameters: {
      type: 'object',
      properties: { code: { type: 'string', description: 'The program.' } },
      required: ['code'],
      additionalProperties: false,
    },
    // It has no effect but in its own sandbox, which is gone with the worker.
    isRepeatable: true,
    call: async ({ code }, context) => {
      const parts = await open();
      return parts.pool.use(`${context.workspaceId} ${context.threadId}`, context.signal, (session) =>
        runIn(session, parts, String(code), timeoutSeconds, context),
      );
    },
  };
}

const deaths: Record<DeathCause, { code: string; message: string }> = {
  late: { code: 'timeout', message: 'The interpreter did not answer in time, and was stopped.' },
  killed: { code: 'cancelled', message: 'The program was stopped.' },
  memory: { code: 'out_of_memory', message: 'The program used more memory than it may, and was stopped.' },
  crashed: { code: 'interpreter_crashed', message: 'The interpreter crashed.' },
  misbehaved: { code: 'interpreter_crashed', message: 'The interpreter was stopped: it did what it may not.' },
};
const lost = 'Variables are gone; files that had been given to the user are still in /mnt/data.';

async function runIn(
  session: CheckedOut,
  parts: PythonParts,
  code: string,
  timeoutSeconds: number,
  context: CallContext,
): Promise<CallResult> {
  const { interpreter } = session;
  const { signal } = context;
  const stop = () => interpreter.kill('killed');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await interpreter.ready;
    await putFiles(session, context);
    const missing = await install(session, parts, code, context);
    const decoder = new TextDecoder();
    const print = (bytes: Uint8Array) => context.write(decoder.decode(bytes, { stream: true }));
    const { done, body } = await interpreter.run({ type: 'run', code, seconds: timeoutSeconds, ...limits }, print);
    if (done.outcome === 'error') tellMissing(context, missing, parts.packages !== null);
    await saveFiles(session, done, body, context);
    return done.outcome === 'timeout' ? { error: timeout(timeoutSeconds, 'Variables and files are kept.') } : {};
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SandboxError) {
      // Whatever it is about, nobody knows in which state it is.
      interpreter.kill('misbehaved');
      throw new ToolError('interpreter_crashed', `The interpreter failed (${error.message.slice(0, 200)}). ${lost}`);
    }
    if (!(error instanceof InterpreterDiedError)) throw error;
    if (error.cause === 'late') return { error: timeout(timeoutSeconds, lost) };
    const { code: why, message } = deaths[error.cause];
    return { error: { code: why, message: `${message} ${lost}`, retryable: false } };
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const timeout = (seconds: number, rest: string) => ({
  code: 'timeout',
  message: `The program was stopped after ${seconds} s, the limit. ${rest}`,
  retryable: false,
});

/** Gives the interpreter the files of the thread that it does not have yet; of several of one name the newest. */
async function putFiles({ interpreter, files }: CheckedOut, context: CallContext): Promise<void> {
  const newest = new Map((await context.inputFiles()).map((file) => [file.name, file]));
  for (const [path, file] of newest) {
    if (files.get(path) === file.id) continue;
    files.set(path, file.id);
    if (file.sizeBytes > limits.fileBytes) {
      context.write(`[${path} is too large for the interpreter: ${file.sizeBytes} bytes]\n`);
      continue;
    }
    await interpreter.put(path, await buffer(await context.readFile(file))).catch((error) => {
      if (!(error instanceof SandboxError)) throw error;
      context.write(`[${path} could not be put into /mnt/data]\n`);
    });
  }
}

/** Installs what the program imports and can be had; returns what nobody has. */
async function install(
  { interpreter }: CheckedOut,
  { packages, log }: PythonParts,
  code: string,
  { write, signal }: CallContext,
): Promise<string[]> {
  const names = await interpreter.missing(code);
  if (names.length === 0 || packages === null) return names;
  try {
    for (const name of packages.packagesFor(names)) {
      const wheel = await untilAborted(packages.wheel(name), signal);
      await interpreter.install(wheel.name, wheel.bytes);
    }
  } catch (error) {
    if (!(error instanceof WheelError)) throw error;
    log.warn({ err: error }, 'a wheel could not be had');
    // The program tells what comes of it: it may do without.
    write(`[${error.message}.]\n`);
  }
  return names.filter((name) => packages.packagesFor([name]).length === 0);
}

function tellMissing({ write }: CallContext, missing: string[], hasMore: boolean): void {
  if (missing.length === 0) return;
  const has = hasMore ? 'the standard library and some packages' : 'the standard library alone';
  write(`[Not installed here: ${missing.join(', ')}. This interpreter has ${has}, and nothing can be downloaded.]\n`);
}

async function saveFiles(
  session: CheckedOut,
  { files, left }: Done,
  body: Buffer,
  context: CallContext,
): Promise<void> {
  if (files.reduce((sum, { size }) => sum + size, 0) !== body.length) {
    session.interpreter.kill('misbehaved');
    throw new InterpreterDiedError('misbehaved');
  }
  let offset = 0;
  const names: string[] = [];
  for (const { path, size } of files) {
    const saved = await context.saveFile(path, null, body.subarray(offset, offset + size));
    offset += size;
    session.files.set(saved.name, saved.id);
    names.push(saved.name);
  }
  if (names.length > 0) context.write(`[Files written: ${names.join(', ')}]\n`);
  if (left > 0)
    context.write(
      `[${left} more files were not kept: at most ${limits.files} a call, of ${limits.fileBytes} bytes together]\n`,
    );
}
