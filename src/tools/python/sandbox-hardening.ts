import fs from 'node:fs';
import nodeModule from 'node:module';

type Bag = Record<string, unknown>;

/** The functions of Node's bindings that remain: those for reading, writing, waiting and exiting. */
const keptOf: Record<string, readonly string[]> = {
  fs: ['read', 'writeBuffer', 'writeBuffers', 'writeString'],
  process_methods: ['reallyExit', 'hrtime', 'hrtimeBigInt', 'setEmitWarningSync', 'patchProcessObject', 'uptime'],
  os: [],
  v8: [],
};
/** Bindings of which no function remains. */
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
const processNames = [
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
const globalNames = [
  'require',
  'module',
  'structuredClone',
  'Blob',
  'BroadcastChannel',
  'MessageChannel',
  'MessagePort',
];
/** Lazily created globals that remain. */
const keptGlobals = ['crypto', 'performance'];

/** Node's internal bindings, available through the flag --expose-internals. */
const { internalBinding } = nodeModule.createRequire(import.meta.url)('internal/test/binding') as {
  internalBinding: (name: string) => Bag;
};

/** Replaces what Pyodide needs of Node but must not get. Call it before Pyodide is loaded. */
export function prepareForPyodide(): void {
  // Pyodide's file system uses only the constants.
  Object.assign(process, { binding: () => ({ fs: fs.constants }) });
}

/**
 * Removes what Node's permissions do not cover, in case a program gains access to JavaScript: signals and priorities of other
 * processes, functions that copy files past the permissions, evaluation of text, and access to the rest of this program. The
 * functions are removed from Node's own bindings, so that no path to a binding is of use.
 */
export function harden(): void {
  for (const name of processNames) remove(process as unknown as Bag, name);
  for (const name of ['_load', '_extensions', 'createRequire', 'register', 'registerHooks', 'runMain', 'wrap']) {
    remove(nodeModule as unknown as Bag, name);
  }
  nodeModule.syncBuiltinESMExports();
  closeGlobals();
  Object.defineProperty(Error, 'prepareStackTrace', { value: undefined, writable: false, configurable: false });
  for (const [name, kept] of Object.entries(keptOf)) removeAll(bindingOf(name), kept);
  for (const name of unneeded) removeAll(bindingOf(name), []);
}

/** Freezes the shape of prototypes and removes accessors and unneeded globals. */
function closeGlobals(): void {
  for (const name of keptGlobals) Object.defineProperty(globalThis, name, { value: (globalThis as Bag)[name] });
  for (const [name, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(globalThis))) {
    if (get || globalNames.includes(name)) delete (globalThis as Bag)[name];
    else if (typeof value === 'function' && value.prototype) Object.preventExtensions(value.prototype);
  }
  // Pyodide asks for the user ID here when a program does. Nothing else is left of the process.
  Object.defineProperty(globalThis, 'process', { value: Object.freeze({ __proto__: null, getuid: () => 0 }) });
}

function bindingOf(name: string): Bag | null {
  try {
    return internalBinding(name);
  } catch {
    // Some builds of Node lack some bindings.
    return null;
  }
}

function removeAll(binding: Bag | null, kept: readonly string[]): void {
  for (const name of Reflect.ownKeys(binding ?? {})) {
    if (typeof binding?.[name as string] === 'function' && !kept.includes(name as string))
      remove(binding, name as string);
  }
}

function remove(owner: Bag, name: string): void {
  if (Reflect.deleteProperty(owner, name)) return;
  try {
    Object.defineProperty(owner, name, { value: undefined });
  } catch {
    Reflect.set(owner, name, undefined);
  }
}
