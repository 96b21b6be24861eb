import fs from 'node:fs';
import nodeModule from 'node:module';

type Bag = Record<string, unknown>;

/** What is left of Node's insides: what reading, writing, waiting and ending take. */
const keptOf: Record<string, readonly string[]> = {
  fs: ['read', 'writeBuffer', 'writeBuffers', 'writeString'],
  process_methods: ['reallyExit', 'hrtime', 'hrtimeBigInt', 'setEmitWarningSync', 'patchProcessObject', 'uptime'],
  os: [],
  v8: [],
};
/** Whole parts of Node that nothing here needs. */
const unneeded = [
  ...['sqlite', 'ffi', 'spawn_sync', 'process_wrap', 'inspector', 'wasi', 'worker', 'fs_dir', 'fs_event_wrap', 'blob'],
  ...['tcp_wrap', 'pipe_wrap', 'udp_wrap', 'js_udp_wrap', 'cares_wrap', 'tty_wrap', 'tls_wrap', 'http_parser', 'http2'],
  ...[
    'heap_utils',
    'profiler',
    'mksnapshot',
    'report',
    'watchdog',
    'signal_wrap',
    'serdes',
    'credentials',
    'webstorage',
  ],
  ...['contextify', 'module_wrap', 'internal_only_v8', 'sea', 'trace_events', 'quic'],
];
const ofProcess = [
  ...[
    'kill',
    '_kill',
    '_debugProcess',
    '_debugEnd',
    'dlopen',
    'getBuiltinModule',
    'binding',
    '_linkedBinding',
    'execve',
  ],
  ...['report', 'setuid', 'setgid', 'seteuid', 'setegid', 'setgroups', 'initgroups', 'chdir', 'umask', 'mainModule'],
  ...['loadEnvFile', 'setSourceMapsEnabled', 'abort', 'setUncaughtExceptionCaptureCallback', 'openStdin'],
];
const ofGlobal = ['require', 'module', 'structuredClone', 'Blob', 'BroadcastChannel', 'MessageChannel', 'MessagePort'];
/** What stays of the globals that Node makes only when they are asked for. */
const keptGlobals = ['crypto', 'performance'];

/** Node's own bindings, which the flag --expose-internals gives. */
const { internalBinding } = nodeModule.createRequire(import.meta.url)('internal/test/binding') as {
  internalBinding: (name: string) => Bag;
};

/** What Pyodide wants of Node and is not permitted here, or must not have. Before it is loaded. */
export function prepareForPyodide(): void {
  // Its file system asks for the constants only.
  Object.assign(process, { binding: () => ({ fs: fs.constants }) });
}

/**
 * Takes away what Node's permissions do not cover, for whoever gets hold of JavaScript: signals and priorities of other
 * processes, what copies files past the permissions, ways to evaluate text, and ways to the rest of the program. It is done to
 * Node's own bindings, so that no way to them leads to anything.
 */
export function takeAway(): void {
  for (const name of ofProcess) forget(process as unknown as Bag, name);
  for (const name of ['_load', '_extensions', 'createRequire', 'register', 'registerHooks', 'runMain', 'wrap']) {
    forget(nodeModule as unknown as Bag, name);
  }
  nodeModule.syncBuiltinESMExports();
  closeGlobals();
  Object.defineProperty(Error, 'prepareStackTrace', { value: undefined, writable: false, configurable: false });
  for (const [name, kept] of Object.entries(keptOf)) empty(bindingOf(name), kept);
  for (const name of unneeded) empty(bindingOf(name), []);
}

/** Nobody adds to what others look into, and what nobody needs is not there. */
function closeGlobals(): void {
  for (const name of keptGlobals) Object.defineProperty(globalThis, name, { value: (globalThis as Bag)[name] });
  for (const [name, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(globalThis))) {
    if (get || ofGlobal.includes(name)) delete (globalThis as Bag)[name];
    else if (typeof value === 'function' && value.prototype) Object.preventExtensions(value.prototype);
  }
}

function bindingOf(name: string): Bag | null {
  try {
    return internalBinding(name);
  } catch {
    // Not every build of Node has every part.
    return null;
  }
}

function empty(binding: Bag | null, kept: readonly string[]): void {
  for (const name of Reflect.ownKeys(binding ?? {})) {
    if (typeof binding?.[name as string] === 'function' && !kept.includes(name as string))
      forget(binding, name as string);
  }
}

function forget(owner: Bag, name: string): void {
  if (Reflect.deleteProperty(owner, name)) return;
  try {
    Object.defineProperty(owner, name, { value: undefined });
  } catch {
    Reflect.set(owner, name, undefined);
  }
}
