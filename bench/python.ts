// npm run python: what a call of code_interpreter takes beside its program, against a bare process that echoes over pipes.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultTiming } from '../src/config/timing.ts';
import { createLog } from '../src/log.ts';
import type { CallContext } from '../src/tools/call-context.ts';
import { codeInterpreter } from '../src/tools/python/code-interpreter.ts';
import { Interpreter } from '../src/tools/python/interpreter.ts';
import { InterpreterPool } from '../src/tools/python/pool.ts';
import { openSnapshot } from '../src/tools/python/snapshot.ts';

const calls = 300;
const folder = await mkdtemp(join(tmpdir(), 'assistant-graph-bench-'));
const at = () => performance.now();
const percentile = (times: number[], part: number) =>
  [...times].sort((one, other) => one - other)[Math.floor(times.length * part)] as number;
const shown = (times: number[]) =>
  `p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`;

async function timesOf(work: () => Promise<unknown>, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = at();
    await work();
    times.push(at() - start);
  }
  return times;
}

/** A process that sends back what it is sent. */
async function echoes(): Promise<number[]> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)']);
  const once = () =>
    new Promise<void>((resolve) => {
      child.stdout.once('data', () => resolve());
      child.stdin.write('print(1)\n');
    });
  await once();
  const times = await timesOf(once, calls);
  child.kill();
  return times;
}

const options = { memoryMb: 512, fileBytes: 268_435_456 };
const makingStart = at();
const snapshot = await openSnapshot(folder, options.memoryMb, defaultTiming.python);
const making = at() - makingStart;
const start = () => new Interpreter({ ...options, snapshot }, defaultTiming.python);
const starts = await timesOf(async () => {
  const interpreter = start();
  await interpreter.ready;
  interpreter.kill();
}, 5);

const pool = new InterpreterPool({ max: 4, ready: 1, idleMs: 60_000, start });
const tool = codeInterpreter(async () => ({ pool, packages: null, log: createLog('silent') }), 30);
const context = (threadId: string): CallContext => ({
  ...{ workspaceId: 'ws', slotOwner: '', threadId, callId: 'call', signal: new AbortController().signal },
  ...{ write: () => {}, inputFiles: async () => [], userToken: () => null, searchFiles: async () => [] },
  markOf: async () => '',
  readFile: () => Promise.reject(new Error('no files')),
  saveFile: () => Promise.reject(new Error('no files')),
});
await new Promise((resolve) => setTimeout(resolve, 2000));
const firstStart = at();
await tool.call({ code: 'print(1)' }, context('a'));
const first = at() - firstStart;
const warm = await timesOf(() => tool.call({ code: 'print(1)' }, context('a')), calls);
const baseline = await echoes();
await pool.close();
await rm(folder, { recursive: true });

console.log(`a snapshot is made (once)      ${(making / 1000).toFixed(1)} s`);
console.log(`an interpreter starts from it  ${shown(starts)}`);
console.log(`first call, one was ready      ${first.toFixed(1)} ms`);
console.log(`warm call of print(1)          ${shown(warm)}   (aim: 30 ms)`);
console.log(`bare process that echoes       ${shown(baseline)}`);
console.log(`times the bare process         ${(percentile(warm, 0.5) / percentile(baseline, 0.5)).toFixed(0)}`);
