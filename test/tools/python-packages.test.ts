import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { Packages } from '../../src/tools/python/packages.ts';
import { openSnapshot } from '../../src/tools/python/snapshot.ts';
import { WheelIndex } from '../../src/tools/python/wheel-source.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { zipOf } from '../support/documents.ts';
import { startEchoServer } from '../support/echo-server.ts';
import { ServerProcess } from '../support/process.ts';
import { fastTiming } from '../support/timing.ts';

let app: TestApp;
let folder: string;
/** The snapshots of test servers: making one takes seconds. */
const snapshots = join(tmpdir(), 'assistant-graph-python');
const pyodide = JSON.parse(
  await readFile(new URL('../../node_modules/pyodide/pyodide-lock.json', import.meta.url), 'utf8'),
);
const native = await readFile(new URL('../fixtures/native-wheel/probe.so', import.meta.url));

/** A wheel (https://packaging.python.org/en/latest/specifications/binary-distribution-format/): its files, for machines of a tag. */
function wheelOf(name: string, files: Record<string, string | Uint8Array>, tag = 'py3-none-any'): Buffer {
  const info = `${name}-1.0.dist-info`;
  return zipOf({
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: ${tag}\n`,
    [`${info}/RECORD`]: '',
  });
}

const nativeTag = `cp314-cp314-pyemscripten_${pyodide.info.abi_version}_wasm32`;
const greeting = wheelOf('greeting', { 'greeting/__init__.py': 'def greet(name): return f"Hello, {name}!"' });
const poisoned = wheelOf('six', { 'six/__init__.py': 'raise SystemExit("poisoned")' });
const six: string = pyodide.packages.six.file_name;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assistant-graph-wheels-'));
  await writeFile(join(folder, 'greeting-1.0-py3-none-any.whl'), greeting);
  await writeFile(join(folder, `probe-1.0-${nativeTag}.whl`), wheelOf('probe', { 'probe.so': native }, nativeTag));
  await writeFile(join(folder, 'elsewhere-1.0-cp314-cp314-linux_x86_64.whl'), wheelOf('elsewhere', {}));
  // It has the name of a wheel of Pyodide's own, and is another one.
  await writeFile(join(folder, six), poisoned);
  await writeFile(join(folder, 'notes.txt'), 'no wheel');
  app = await startTestApp({ PYTHON_PACKAGES: folder });
});
afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true });
});

/** The thread of each client, and with it an interpreter: a new one takes seconds to start. */
const threads = new WeakMap<Client, string>();

/** Runs a program on the client's thread; returns the call. */
async function run(code: string, client: Client = app.client) {
  const text = `\`\`\`python\n${code}\n\`\`\``;
  const threadId = threads.get(client);
  const started = await client.ask(text, {
    model: 'demo',
    tools: [{ codeInterpreter: {} }],
    ...(threadId ? { threadId, thread: undefined, messages: [{ text }] } : {}),
  });
  threads.set(client, started.thread.id);
  const { steps } = await client.finished(
    started.id,
    'steps { nodes { toolCalls { status error { code } ... on CodeInterpreterToolCall { logs } } } }',
  );
  return steps.nodes[0].toolCalls[0];
}

describe('a folder of wheels', () => {
  test('a program can import a package of the folder', async () => {
    expect((await run('from greeting import greet\ngreet("小明")')).logs).toBe("'Hello, 小明!'\n");
  });

  test('a native wheel for this Pyodide runs in the sandbox', async () => {
    expect((await run('import probe\nprobe.double(21)')).logs).toBe('42\n');
  });

  test.each(['numpy', 'elsewhere'])(
    'a package that is not in the folder, or for other machines, is reported as not installed: %s',
    async (name) => {
      const { logs } = await run(`import ${name}`);
      expect(logs).toContain(
        `[Not installed here: ${name}. This interpreter has the standard library and some packages`,
      );
    },
  );

  test('a wheel with another hash than in the lock file is not installed', async () => {
    const { logs } = await run('import six');
    expect(logs).toContain(`[${six} is not the wheel that Pyodide's lock file names.]`);
    expect(logs).toContain('ModuleNotFoundError');
    expect(logs).not.toContain('poisoned');
  });
});

describe('an index of wheels', () => {
  const entry = (file: string, bytes: Uint8Array, imports: string[], depends: string[] = []) => ({
    file_name: file,
    imports,
    depends,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  const party = wheelOf('party', {
    'party/__init__.py': 'from greeting import greet\ndef all(*names): return [greet(n) for n in names]',
  });
  const served: Record<string, Buffer> = {
    '/full/greeting-1.0-py3-none-any.whl': greeting,
    '/full/party-1.0-py3-none-any.whl': party,
    '/full/changed-1.0-py3-none-any.whl': poisoned,
    [`/full/${six}`]: poisoned,
    '/full/pyodide-lock.json': Buffer.from(
      JSON.stringify({
        info: pyodide.info,
        packages: {
          greeting: entry('greeting-1.0-py3-none-any.whl', greeting, ['greeting']),
          party: entry('party-1.0-py3-none-any.whl', party, ['party'], ['greeting']),
          changed: entry('changed-1.0-py3-none-any.whl', greeting, ['changed']),
          // What it says of a package of Pyodide's own does not count.
          six: entry(six, poisoned, ['six']),
        },
      }),
    ),
  };

  test('provides imported packages with their dependencies, once, and only those that a lock file names', async () => {
    await using index = await startEchoServer(({ url }, response) => {
      response.writeHead(served[url] ? 200 : 404).end(served[url]);
    });
    await using server = await ServerProcess.prepare({ PYTHON_PACKAGES: `${index.url}/full/` });
    await openSnapshot(snapshots, 256, fastTiming.python);
    const isSnapshot = (path: string) => path === snapshots || path.endsWith('.snapshot');
    await cp(snapshots, join(server.dataDir, 'python'), { recursive: true, filter: isSnapshot });
    await server.start();
    const { client } = server;
    expect((await run('import party\nparty.all("a", "b")', client)).logs).toBe("['Hello, a!', 'Hello, b!']\n");
    for (const [name, why] of [
      ['six', `[${six} is not the wheel that Pyodide's lock file names.]`],
      ['changed', "[changed-1.0-py3-none-any.whl is not the wheel that Pyodide's lock file names.]"],
      ['numpy', 'could not be loaded: the index responded with status 404.]'],
      ['nothing_of_that_name', '[Not installed here: nothing_of_that_name.'],
    ] as const) {
      const { logs } = await run(`import ${name}`, client);
      expect(logs).toContain(why);
      expect(logs).not.toContain('poisoned');
    }

    // What was loaded is there for the next start, even where the index is not.
    await server.end('SIGKILL');
    await index.close();
    await server.start();
    const restarted = server.client;
    expect((await run('import party\nparty.all("c")', restarted)).logs).toBe("['Hello, c!']\n");
    expect((await run('import numpy', restarted)).logs).toContain('could not be loaded: the index did not respond.]');
    const asked = index.heard.map(({ url }) => url);
    expect(asked.filter((url) => url === '/full/party-1.0-py3-none-any.whl')).toHaveLength(1);
    expect(asked.some((url) => url.includes('nothing_of_that_name'))).toBe(false);
  });

  test('cannot replace packages and modules of Pyodide', async () => {
    const packages = {
      NumPy: entry('evil_numpy-1.0-py3-none-any.whl', poisoned, ['numpy']),
      zzz: entry('zzz-1.0-py3-none-any.whl', poisoned, ['pandas', 'zzz']),
    };
    await using index = await startEchoServer((_request, response) => {
      response.end(JSON.stringify({ info: pyodide.info, packages }));
    });
    const opened = await Packages.open(new WheelIndex(index.url, join(folder, 'cache'), createLog('silent')));
    expect(opened.packagesFor(['pandas'])).toEqual(['numpy', 'six', 'python-dateutil', 'pytz', 'pandas']);
    expect(opened.packagesFor(['zzz'])).toEqual(['zzz']);
    await expect(opened.wheel('numpy')).rejects.toThrow(`${pyodide.packages.numpy.file_name} is not the wheel`);
  });

  test.each([
    ['is for other interpreters', JSON.stringify({ info: { abi_version: '1999', python: '3.1' }, packages: {} })],
    ['is malformed', 'hello'],
    [
      'names files outside',
      JSON.stringify({ info: pyodide.info, packages: { a: entry('../../etc/passwd', native, ['a']) } }),
    ],
  ])('a lock file that %s has no effect', async (_name, lock) => {
    await using index = await startEchoServer((_request, response) => void response.end(lock));
    const source = new WheelIndex(index.url, await mkdtemp(join(folder, 'cache-')), createLog('silent'));
    expect(await source.lockFile(pyodide.info.abi_version)).toBeNull();
    expect((await Packages.open(source)).packagesFor(['a', 'numpy'])).toEqual(['numpy']);
  });
});
