import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { zipOf } from '../support/documents.ts';

let app: TestApp;
let folder: string;

/** A wheel of pure Python (https://packaging.python.org/en/latest/specifications/binary-distribution-format/). */
function wheelOf(name: string, source: string): Buffer {
  const info = `${name}-1.0.dist-info`;
  return zipOf({
    [`${name}/__init__.py`]: source,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: '',
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assistant-graph-wheels-'));
  await writeFile(
    join(folder, 'greeting-1.0-py3-none-any.whl'),
    wheelOf('greeting', 'def greet(name): return f"Hello, {name}!"'),
  );
  // It has the name of a wheel of Pyodide's own, and is another one.
  await writeFile(join(folder, 'six-1.17.0-py2.py3-none-any.whl'), wheelOf('six', 'raise SystemExit("poisoned")'));
  await writeFile(join(folder, 'notes.txt'), 'no wheel');
  app = await startTestApp({ PYTHON_PACKAGES: folder });
});
afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true });
});

async function run(code: string) {
  const started = await app.client.ask(`\`\`\`python\n${code}\n\`\`\``, { tools: [{ codeInterpreter: {} }] });
  const { steps } = await app.client.finished(
    started.id,
    'steps { nodes { toolCalls { status error { code } ... on CodeInterpreterToolCall { logs } } } }',
  );
  return steps.nodes[0].toolCalls[0];
}

test('a program that imports a package of the folder has it', async () => {
  expect((await run('from greeting import greet\ngreet("小明")')).logs).toBe("'Hello, 小明!'\n");
});

test('one that is in no folder is said not to be there', async () => {
  const { logs } = await run('import numpy');
  expect(logs).toContain('[Not installed here: numpy. This interpreter has the standard library and some packages');
});

test('a wheel that is not the one that the lock file names is never installed', async () => {
  const { status, logs } = await run('import six');
  expect([status, logs.includes('poisoned')]).toEqual(['FAILED', false]);
});
