import { buffer } from 'node:stream/consumers';
import { untilAborted } from '../../async/until-aborted.ts';
import type { Logger } from '../../log.ts';
import type { EndCause } from '../../process/guarded-process.ts';
import type { CallContext } from '../call-context.ts';
import { pythonLimits } from '../limits.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { type Done, InterpreterDiedError, SandboxError } from './interpreter.ts';
import type { Packages } from './packages.ts';
import type { CheckedOut, InterpreterPool } from './pool.ts';
import { WheelError } from './wheel-source.ts';

const limits = { outputBytes: pythonLimits.outputBytes, files: pythonLimits.files, fileBytes: pythonLimits.fileBytes };

const description = `Runs Python 3 and returns its output and the value of its last expression. Variables and files in /mnt/data stay for later calls in this conversation. The user's files are in /mnt/data. Files that the program writes there are given to the user: name them in your answer as sandbox:/mnt/data/<name>. There is no network.`;

/** The interpreters and packages that the tool uses. */
export interface PythonParts {
  pool: InterpreterPool;
  /** null: only the standard library is available. */
  packages: Packages | null;
  log: Logger;
}

/** The tool that runs Python programs of the model in a sandbox. */
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
    // Its effects stay within the sandbox, which ends with the worker.
    isRepeatable: true,
    call: async ({ code }, context) => {
      const parts = await open();
      const { workspaceId, slotOwner: owner, threadId, signal } = context;
      return parts.pool.use({ workspaceId, owner }, threadId, signal, (session) =>
        runIn(session, parts, String(code), timeoutSeconds, context),
      );
    },
  };
}

const deaths: Record<EndCause, { code: string; message: string }> = {
  late: { code: 'timeout', message: 'The interpreter did not respond in time and was stopped.' },
  killed: { code: 'cancelled', message: 'The program was stopped.' },
  memory: { code: 'out_of_memory', message: 'The program exceeded the memory limit and was stopped.' },
  crashed: { code: 'interpreter_crashed', message: 'The interpreter crashed.' },
  misbehaved: { code: 'interpreter_crashed', message: 'The interpreter was stopped because it violated its protocol.' },
};
const lost = 'Its variables are lost. Files that were given to the user are still in /mnt/data.';

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
    if (done.outcome === 'error') writeMissing(context, missing, parts.packages !== null);
    await saveFiles(session, done, body, context);
    return done.outcome === 'timeout' ? { error: timeout(timeoutSeconds, 'Its variables and files are kept.') } : {};
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SandboxError) {
      // The state of the interpreter is unknown.
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
  message: `The program was stopped after its time limit of ${seconds} s. ${rest}`,
  retryable: false,
});

/** Puts the new files of the thread into the interpreter. Of files with the same name the newest counts. */
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
      context.write(`[${path} could not be written to /mnt/data]\n`);
    });
  }
}

/** Installs the packages that the program imports. Returns the modules that no package provides. */
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
    log.warn({ err: error }, 'wheel failed to load');
    // The program runs anyway: it may handle the missing import.
    write(`[${error.message}.]\n`);
  }
  return names.filter((name) => packages.packagesFor([name]).length === 0);
}

function writeMissing({ write }: CallContext, missing: string[], hasPackages: boolean): void {
  if (missing.length === 0) return;
  const available = hasPackages ? 'the standard library and some packages' : 'only the standard library';
  write(
    `[Not installed here: ${missing.join(', ')}. This interpreter has ${available}, and nothing can be downloaded.]\n`,
  );
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
      `[${left} more files were not kept: at most ${limits.files} files with ${limits.fileBytes} bytes in total for each call]\n`,
    );
}
