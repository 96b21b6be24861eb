// The process in which a model's Python runs. It is started with Node's permissions closed but for reading this folder and
// Pyodide itself: no network, no other files, no processes, no threads, no environment. The server ends it from outside.
import { readFileSync } from 'node:fs';
import { end, nextMessage, tell } from './sandbox-channel.ts';
import { SandboxFiles } from './sandbox-files.ts';
import { prepareForPyodide, takeAway } from './sandbox-hardening.ts';
import { cells, doors, imports } from './sandbox-python.ts';

/**
 * Pyodide's folder, the snapshot to start from ('': none), the limit of all files in bytes, the time limits of an
 * installation and of other requests in milliseconds, and 'snapshot' to make a snapshot.
 */
const [, , folder = '', snapshot = '', fileBytes = '0', requestMs = '0', installMs = '0', mode = ''] = process.argv;
const now = Date.now;
const flushBytes = 4096;
const flushMs = 20;

prepareForPyodide();
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const python = await loadPyodide({
  indexURL: `${folder}/`,
  jsglobals: Object.create(null),
  env: { HOME: '/mnt/data', MPLBACKEND: 'agg', PYTHONDONTWRITEBYTECODE: '1' },
  ...(mode === 'snapshot' ? { _makeSnapshot: true } : {}),
  ...(snapshot ? { _loadSnapshot: readFileSync(snapshot) } : {}),
});
if (mode === 'snapshot') {
  python.runPython(imports);
  tell({ type: 'snapshot' }, python.makeMemorySnapshot());
  end(0);
}

let room = 0;
let printed: Uint8Array[] = [];
let printedBytes = 0;
let printedAt = 0;
/** What is printed goes out in pieces of some size, or after a moment. */
function flush(): void {
  if (printedBytes === 0) return;
  const all = new Uint8Array(printedBytes);
  let offset = 0;
  for (const bytes of printed) {
    all.set(bytes, offset);
    offset += bytes.length;
  }
  printed = [];
  printedBytes = 0;
  tell({ type: 'out' }, all);
}
const stream = {
  isatty: false,
  write: (bytes: Uint8Array) => {
    const fitting = bytes.slice(0, Math.max(room, 0));
    room -= fitting.length;
    if (fitting.length > 0) printed.push(fitting);
    printedBytes += fitting.length;
    if (printedBytes >= flushBytes || now() - printedAt >= flushMs) {
      printedAt = now();
      flush();
    }
    return bytes.length;
  },
};
python.setStdout(stream);
python.setStderr(stream);
python.setStdin({ isatty: false, stdin: () => null });
// Python looks here now and then, whatever it does: past the deadline it finds an interrupt.
let deadline = Number.POSITIVE_INFINITY;
python.setInterruptBuffer({
  get 0() {
    if (printedBytes > 0 && now() - printedAt >= flushMs) {
      printedAt = now();
      flush();
    }
    if (now() <= deadline) return 0;
    deadline = now() + 1000;
    return 2;
  },
  set 0(_value: number) {},
});
const files = new SandboxFiles(python.FS, Number(fileBytes));
python.runPython(imports + cells);
const run = python.globals.get('_run');
const missing = python.globals.get('_missing');
python.runPython(`del _run, _missing\n${doors}`);
takeAway();

/** Runs a program to its end, or until its time is over. */
async function runCell(code: string, seconds: number): Promise<'ok' | 'error' | 'timeout'> {
  const startedAt = now();
  deadline = startedAt + seconds * 1000;
  const outcome = await run(code, seconds);
  // Whatever was made of the interrupt.
  return outcome !== 'ok' && now() - startedAt >= seconds * 1000 ? 'timeout' : outcome;
}

async function install(name: string, bytes: Uint8Array): Promise<void> {
  const site = python.runPython("import sysconfig; sysconfig.get_path('purelib')");
  await python._api.install(bytes.buffer, name, site, new Map([['INSTALLER', 'assistant-graph']]));
  python.runPython('import importlib; importlib.invalidate_caches()');
}

async function answer(): Promise<void> {
  const { message, body } = nextMessage();
  deadline = now() + Number(message.type === 'install' ? installMs : requestMs);
  if (message.type === 'put') {
    files.put(message.path, body);
    tell({ type: 'ok' });
  } else if (message.type === 'imports') {
    const names = missing(message.code);
    tell({ type: 'missing', names: names.toJs() });
    names.destroy();
  } else if (message.type === 'install') {
    await install(message.name, body);
    tell({ type: 'ok' });
  } else {
    room = message.outputBytes;
    const outcome = await runCell(message.code, message.seconds);
    room = 0;
    flush();
    const { bytes, ...written } = files.changed(message.files, message.fileBytes);
    tell({ type: 'done', outcome, ...written }, bytes);
  }
}

// A program that waits for what never comes does not end the process.
setInterval(() => flush(), 50);
tell({ type: 'ready' });
for (;;) {
  // What programs left behind gets its turn.
  await new Promise((resolve) => setImmediate(resolve));
  try {
    await answer();
  } catch (error) {
    tell({ type: 'failed', message: String((error as Error)?.message).slice(0, 4000) });
    if ((error as { pyodide_fatal_error?: boolean })?.pyodide_fatal_error) end(71);
  }
}
