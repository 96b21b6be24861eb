import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { GuardedProcess } from '../../src/process/guarded-process.ts';

const program = fileURLToPath(new URL('../fixtures/guarded/program.ts', import.meta.url));
const start = (...args: string[]) => new GuardedProcess(options(args));
const options = (args: string[]) => ({
  program,
  args,
  readable: [`${dirname(program)}/`],
  heapMb: 64,
  maxRssBytes: 400_000_000,
});
const ended = (child: GuardedProcess) => new Promise<void>((resolve) => child.onEnd(resolve));

test('a guarded process has no environment, no other files, no child processes and no network', async () => {
  const child = start('report', '/etc/passwd');
  expect(JSON.parse(await text(child.output))).toEqual({
    environment: [],
    file: 'ERR_ACCESS_DENIED',
    own: 'true',
    child: 'ERR_ACCESS_DENIED',
    connection: 'ERR_ACCESS_DENIED',
  });
});

test('its output is complete before its end, and its input reaches it', async () => {
  const child = start('echo');
  child.input.end('x'.repeat(1_000_000));
  let received = '';
  child.output.on('data', (bytes) => {
    received += bytes;
  });
  await ended(child);
  expect([received.length, child.isAlive]).toEqual([1_000_000, false]);
});

test('it is killed when its clock runs out, even in an endless loop', async () => {
  const child = start('loop');
  await once(child.output, 'data');
  child.startClock(100);
  child.output.resume();
  await ended(child);
  expect(child.cause).toBe('late');
});

test('a stopped clock does not kill it, and returns the time that was left', async () => {
  const child = start('loop');
  child.startClock(60_000);
  await once(child.output, 'data');
  const left = child.stopClock();
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(60_000);
  expect(child.isAlive).toBe(true);
  child.kill();
  child.kill('memory');
  child.output.resume();
  await ended(child);
  expect(child.cause).toBe('killed');
});

test.runIf(existsSync('/proc/self/statm'))('it is killed when it exceeds its resident memory', async () => {
  const child = start('eat');
  child.output.resume();
  await ended(child);
  expect(child.cause).toBe('memory');
});

test('a process that ends on its own has crashed', async () => {
  const child = start('crash');
  child.output.resume();
  await ended(child);
  expect([child.cause, child.isAlive]).toEqual(['crashed', false]);
  let isCalled = false;
  child.onEnd(() => {
    isCalled = true;
  });
  expect(isCalled).toBe(true);
});

test('it ends with the process that started it, even when that one is killed', async () => {
  const options = { program, args: ['loop'], readable: [`${dirname(program)}/`], heapMb: 64, maxRssBytes: 400_000_000 };
  const source = fileURLToPath(new URL('../../src/process/guarded-process.ts', import.meta.url));
  const parent = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `import { GuardedProcess } from ${JSON.stringify(source)};
     import { readFileSync } from 'node:fs';
     const child = new GuardedProcess(${JSON.stringify(options)});
     const children = () => readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim().split(' ');
     child.output.once('data', () => console.log(children().join(' ')));`,
  ]);
  const [line] = await once(parent.stdout, 'data');
  const children = String(line).trim().split(' ').map(Number);
  expect(children).toHaveLength(2);
  parent.kill('SIGKILL');
  for (const pid of children) await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
});

test.runIf(existsSync('/proc/self/autogroup'))('processes of low priority leave the CPU to others', async () => {
  // Empty when this process is in no autogroup.
  const ownGroup = readFileSync('/proc/self/autogroup', 'utf8');
  const before = new Set(await childPids());
  const children = Array.from({ length: 4 }, () => new GuardedProcess({ ...options(['loop']), isLowPriority: true }));
  await Promise.all(children.map(({ output }) => once(output, 'data')));
  // The shell that ends them with this process keeps its priority.
  const loops = (await childPids()).filter(
    (pid) => !before.has(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('loop'),
  );
  expect(loops).toHaveLength(4);
  const groups = () => loops.map((pid) => readFileSync(`/proc/${pid}/autogroup`, 'utf8').split('nice ')[1]?.trim());
  await expect.poll(groups).toEqual(Array(4).fill('5'));
  expect(loops.map((pid) => getPriority(pid))).toEqual(Array(4).fill(5));
  expect(readFileSync('/proc/self/autogroup', 'utf8')).toBe(ownGroup);
  for (const child of children) child.kill();
  await Promise.all(children.map(ended));
});

/** The process IDs of the children of this process. */
async function childPids(): Promise<number[]> {
  const tasks = await readdir('/proc/self/task');
  const lists = tasks.map((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8'));
  return lists.join(' ').split(' ').filter(Boolean).map(Number);
}
