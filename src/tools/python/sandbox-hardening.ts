import childProcess from 'node:child_process';
import fs from 'node:fs';
import nodeModule from 'node:module';
import os from 'node:os';
import v8 from 'node:v8';
import vm from 'node:vm';

type Bag = Record<string, unknown>;

/** What Pyodide wants of Node and is not permitted here, or must not have. Before it is loaded. */
export function prepareForPyodide(): void {
  // Its file system asks for the constants only.
  Object.assign(process, { binding: () => ({ fs: fs.constants }) });
  // It stands behind os.system(): what is not permitted would end the process.
  Object.assign(childProcess, { spawnSync: () => ({ status: 126, signal: null }) });
}

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
  ...['loadEnvFile', 'setSourceMapsEnabled'],
];
const ofGlobal = [
  ...['fetch', 'WebSocket', 'EventSource', 'navigator', 'require', 'module', 'Worker', 'BroadcastChannel'],
  ...['localStorage', 'sessionStorage'],
];

/**
 * Takes away what Node's permissions leave open to whoever gets hold of JavaScript: signals to other processes, the flags of
 * V8, ways to evaluate text. A second line only; the first are the permissions, which nothing in the process can change.
 */
export function takeAway(): void {
  for (const name of ofProcess) forget(process as unknown as Bag, name);
  const modules: Array<[object, string[]]> = [
    [os, ['setPriority']],
    [v8, Object.keys(v8)],
    [vm, Object.keys(vm)],
    [childProcess, Object.keys(childProcess)],
    [nodeModule, ['createRequire', 'register', 'registerHooks', 'runMain', 'wrap', '_load', '_extensions']],
    [(nodeModule as unknown as { prototype: object }).prototype, ['_compile', 'load']],
  ];
  for (const [module, names] of modules) for (const name of names) forget(module as Bag, name);
  nodeModule.syncBuiltinESMExports();
  for (const name of ofGlobal) delete (globalThis as Bag)[name];
  Object.defineProperty(Error, 'prepareStackTrace', { value: undefined, writable: false, configurable: false });
}

function forget(owner: Bag, name: string): void {
  try {
    Object.defineProperty(owner, name, { value: undefined, configurable: false });
  } catch {
    // What cannot be taken away is closed by the permissions.
  }
}
