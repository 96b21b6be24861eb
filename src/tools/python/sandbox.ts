// The program of an interpreter's process: it runs Python that a model wrote. It runs in a GuardedProcess, which reads only this
// folder and Pyodide, and has no network, no child processes, no threads and no environment.
import { readFileSync } from 'node:fs';
import { end, nextRequest, send } from './sandbox-channel.ts';
import { SandboxFiles } from './sandbox-files.ts';
import { harden, prepareForPyodide } from './sandbox-hardening.ts';
import { cells, imports, removeJavaScript } from './sandbox-python.ts';

/**
 * Pyodide's folder, the snapshot to start from ('': none), the limit of all files in bytes, the time limits of an
 * installation and of other requests in milliseconds, and 'snapshot' to make a snapshot.
 */
const [, , folder = '', snapshot = '', fileBytes = '0', requestMs = '0', installMs = '0', mode = ''] = process.argv;
const now = Date.now;
const flushBytes = 4096;
const flushMs = 20;
/** How often a program is interrupted after its deadline, and how often the sandbox looks whether the server is alive. */
const againMs = 1000;
/** The process itself: `harden` removes it from the globals. */
const own = process;
const server = own.ppid;

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
  send({ type: 'snapshot' }, python.makeMemorySnapshot());
  end(0);
}

/** Bytes that the program may still print. */
let outputBytesLeft = 0;
let output: Uint8Array[] = [];
let outputBytes = 0;
let flushedAt = 0;
/** Sends the collected output. */
function flush(): void {
  if (outputBytes === 0) return;
  const all = new Uint8Array(outputBytes);
  let offset = 0;
  for (const bytes of output) {
    all.set(bytes, offset);
    offset += bytes.length;
  }
  output = [];
  outputBytes = 0;
  send({ type: 'out' }, all);
}
const stream = {
  isatty: false,
  write: (bytes: Uint8Array) => {
    const fitting = bytes.slice(0, Math.max(outputBytesLeft, 0));
    outputBytesLeft -= fitting.length;
    if (fitting.length > 0) output.push(fitting);
    outputBytes += fitting.length;
    if (outputBytes >= flushBytes || now() - flushedAt >= flushMs) {
      flushedAt = now();
      flush();
    }
    return bytes.length;
  },
};
python.setStdout(stream);
python.setStderr(stream);
python.setStdin({ isatty: false, stdin: () => null });
let deadline = Number.POSITIVE_INFINITY;
let serverSeenAt = now();
function limitTime(ms: number): void {
  deadline = now() + ms;
}
// Python reads this buffer between instructions: after the deadline it finds an interrupt, once a second.
python.setInterruptBuffer({
  get 0() {
    if (outputBytes > 0 && now() - flushedAt >= flushMs) {
      flushedAt = now();
      flush();
    }
    if (now() - serverSeenAt >= againMs) {
      serverSeenAt = now();
      // Where no reaper does it: a program that catches everything ends with the server.
      if (own.ppid !== server) end(72);
    }
    if (now() <= deadline) return 0;
    deadline = now() + againMs;
    return 2;
  },
  set 0(_value: number) {},
});
const files = new SandboxFiles(python.FS, Number(fileBytes));
python.runPython(imports + cells);
const run = python.globals.get('_run');
const missing = python.globals.get('_missing');
python.runPython(`del _run, _missing\n${removeJavaScript}`);
harden();

/** Runs a program until it ends or is interrupted after its time limit. */
async function runCell(code: string, seconds: number): Promise<'ok' | 'error' | 'timeout'> {
  const startedAt = now();
  limitTime(seconds * 1000);
  const outcome = await run(code, seconds);
  // The program may have caught the interrupt.
  return outcome !== 'ok' && now() - startedAt >= seconds * 1000 ? 'timeout' : outcome;
}

async function install(name: string, bytes: Uint8Array): Promise<void> {
  const site = python.runPython("import sysconfig; sysconfig.get_path('purelib')");
  await python._api.install(bytes.buffer, name, site, new Map([['INSTALLER', 'assistant-graph']]));
  python.runPython('import importlib; importlib.invalidate_caches()');
}

/** Handles the next request. */
async function handleRequest(): Promise<void> {
  const { request, body } = nextRequest();
  limitTime(Number(request.type === 'install' ? installMs : requestMs));
  if (request.type === 'put') {
    files.put(request.path, body);
    send({ type: 'ok' });
  } else if (request.type === 'imports') {
    const names = missing(request.code);
    send({ type: 'missing', names: names.toJs() });
    names.destroy();
  } else if (request.type === 'install') {
    await install(request.name, body);
    send({ type: 'ok' });
  } else {
    outputBytesLeft = request.outputBytes;
    const outcome = await runCell(request.code, request.seconds);
    outputBytesLeft = 0;
    flush();
    const { bytes, ...written } = files.changed(request.files, request.fileBytes);
    send({ type: 'done', outcome, ...written }, bytes);
  }
}

// The timer keeps the process alive while a program awaits a promise that never settles.
setInterval(() => flush(), 50);
send({ type: 'ready' });
for (;;) {
  // Tasks that earlier programs left run here.
  await new Promise((resolve) => setImmediate(resolve));
  try {
    await handleRequest();
  } catch (error) {
    send({ type: 'failed', message: String((error as Error)?.message).slice(0, 4000) });
    if ((error as { pyodide_fatal_error?: boolean })?.pyodide_fatal_error) end(71);
  }
}
