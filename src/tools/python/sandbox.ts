// The process in which a model's Python runs. It is started with Node's permissions closed but for reading this folder and
// Pyodide itself: no network, no other files, no processes, no threads, no environment. The server ends it from outside.
import { readFileSync } from 'node:fs';
import { end, nextMessage, tell } from './sandbox-channel.ts';
import { SandboxFiles } from './sandbox-files.ts';
import { prepareForPyodide, takeAway } from './sandbox-hardening.ts';
import { cells, doors, imports } from './sandbox-python.ts';

/** The folder of Pyodide, a snapshot to start from ('': none), the room for files in bytes, and whether to make a snapshot. */
const [, , folder = '', snapshot = '', fileBytes = '0', mode = ''] = process.argv;
const now = Date.now;

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
const stream = {
  isatty: false,
  write: (bytes: Uint8Array) => {
    const fitting = bytes.subarray(0, Math.max(room, 0));
    room -= fitting.length;
    if (fitting.length > 0) tell({ type: 'out' }, fitting);
    if (fitting.length < bytes.length && room === 0) {
      room = -1;
      tell({ type: 'cut' });
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
  try {
    const outcome = await run(code);
    // Whatever was made of the interrupt.
    return outcome !== 'ok' && now() - startedAt >= seconds * 1000 ? 'timeout' : outcome;
  } finally {
    deadline = Number.POSITIVE_INFINITY;
  }
}

async function answer(): Promise<void> {
  const { message, body } = nextMessage();
  if (message.type === 'put') {
    files.put(message.path, body);
    tell({ type: 'ok' });
  } else if (message.type === 'imports') {
    const names = missing(message.code);
    tell({ type: 'missing', names: names.toJs() });
    names.destroy();
  } else if (message.type === 'install') {
    const site = python.runPython("import sysconfig; sysconfig.get_path('purelib')");
    await python._api.install(body.buffer, message.name, site, new Map([['INSTALLER', 'assistant-graph']]));
    python.runPython('import importlib; importlib.invalidate_caches()');
    tell({ type: 'ok' });
  } else {
    room = message.outputBytes;
    const outcome = await runCell(message.code, message.seconds);
    room = -1;
    const { bytes, ...written } = files.changed(message.files, message.fileBytes);
    tell({ type: 'done', outcome, ...written }, bytes);
  }
}

tell({ type: 'ready' });
for (;;) {
  // What programs left behind gets its turn.
  await new Promise((resolve) => setImmediate(resolve));
  try {
    await answer();
  } catch (error) {
    tell({ type: 'failed', message: String((error as Error)?.message ?? error).slice(0, 4000) });
    if ((error as { pyodide_fatal_error?: boolean })?.pyodide_fatal_error) end(71);
  }
}
