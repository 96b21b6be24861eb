import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { isUnavailable } from '../src/db/unavailable.ts';
import { errorRecord } from '../src/error-record.ts';
import { createLog } from '../src/log.ts';
import { startTestApp, type TestApp } from './support/app.ts';
import { Client } from './support/client.ts';
import { type EchoServer, startEchoServer } from './support/echo-server.ts';
import { ModelServer } from './support/model-server.ts';
import { sendFile } from './support/upload.ts';

/** A text that occurs only where a stranger wrote it. The database refuses the rows that contain it. */
const mark = 'PLANTED"MARK\nof a stranger';
const needle = /PLANTED|of a stranger/;

/** The columns that refuse the mark. */
const columns = {
  Message: ['text'],
  Thread: ['title'],
  Assistant: ['name', 'instructions'],
  Run: ['instructions', 'errorMessage'],
  ToolCall: ['arguments', 'output', 'name'],
  File: ['name'],
  Plugin: ['name', 'description'],
  Workspace: ['name'],
  TextDelta: ['text'],
} as const;

const openapi = (url: string) =>
  JSON.stringify({
    openapi: '3.0.0',
    info: { title: mark, version: '1' },
    servers: [{ url }],
    paths: {
      '/look': { get: { operationId: 'PLANTED_look', summary: mark, responses: { 200: { description: mark } } } },
    },
  });

describe('the log at its lowest level', () => {
  const lines: string[] = [];
  const model = new ModelServer();
  let plugin: EchoServer;
  let app: TestApp;
  beforeAll(async () => {
    await model.listen();
    plugin = await startEchoServer((_request, response) => response.writeHead(500).end(mark));
    const log = createLog('trace', isUnavailable, { write: (line) => void lines.push(line) });
    const environment = { OPENAI_BASE_URL: model.baseURL, MODEL_RETRIES: '0', PLUGIN_HOSTS: '127.0.0.1' };
    app = await startTestApp(environment, {}, { log });
    const { database } = app.app.services;
    for (const [table, names] of Object.entries(columns)) {
      for (const name of names) {
        await database.$executeRawUnsafe(
          `ALTER TABLE "${table}" ADD CONSTRAINT "${table}_${name}_test" CHECK (position('PLANTED"' in "${name}") = 0)`,
        );
      }
    }
  });
  afterAll(async () => {
    await app.stop();
    await plugin.close();
    await model[Symbol.asyncDispose]();
  });

  /** Runs `work` and returns the lines that it logged. */
  async function logged(work: () => Promise<unknown>): Promise<string> {
    const start = lines.length;
    await work();
    return lines.slice(start).join('');
  }
  const ignored = (promise: Promise<unknown>) => promise.catch(() => {});

  test.each<[string, string, object]>([
    ['a message', 'createThread', { messages: [{ text: mark }] }],
    ['a title', 'createThread', { title: mark }],
    ['an assistant', 'createAssistant', { name: mark, instructions: mark, metadata: { key: mark } }],
    ['a run', 'createRun', { instructions: mark, thread: { messages: [{ text: mark }] } }],
    ['a workspace', 'createWorkspace', { name: mark }],
  ])('says that a row was refused, and not what was in it: %s', async (_name, mutation, input) => {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}`;
    const query = `mutation($input: ${type}Input!) { ${mutation}(input: $input) { __typename } }`;
    const text = await logged(async () => {
      const { errors } = await app.client.send(query, { input });
      expect(errors?.[0]?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
    });
    expect(text).toContain('"23514"');
    expect(text).not.toMatch(needle);
  });

  test('says nothing of a plugin and its secrets', async () => {
    const text = await logged(async () => {
      const document = openapi(`${plugin.url}/`);
      const auth = { bearer: { token: 'PLANTED-token' } };
      const register = `mutation($input: RegisterPluginInput!) { registerPlugin(input: $input) { __typename } }`;
      await app.client.send(register, {
        input: { name: mark, description: mark, source: { openapi: { document } }, auth },
      });
      await app.client.send(register, {
        input: { name: 'P', source: { openapi: { url: `${plugin.url}/PLANTED` } }, auth },
      });
      await app.client.send(register, {
        input: { name: 'M', source: { mcp: { url: `${plugin.url}/PLANTED` } }, auth },
      });
      const made = await app.client.mutate(
        'registerPlugin',
        { name: 'Q', source: { openapi: { document } }, auth },
        'plugin { id }',
      );
      model.answers(
        async (respond) => {
          const call = { name: 'PLANTED_look', arguments: JSON.stringify({ word: mark }) };
          await respond.delta({ tool_calls: [{ index: 0, id: 'c1', function: call }] });
          await respond.end('tool_calls');
        },
        async (respond) => respond.end(),
      );
      const { id } = await app.client.ask('Look', { tools: [{ plugin: { pluginId: made.plugin?.id } }] });
      await app.client.finished(id);
    });
    expect(text).not.toMatch(needle);
  });

  test.each<[string, Parameters<ModelServer['answers']>[0]]>([
    ['refuses', (respond) => respond.fail(400, mark)],
    ['is overloaded', (respond) => respond.fail(503, mark)],
    ['answers with other than JSON', (respond) => void respond.response.writeHead(200).end(mark)],
    ['breaks off', (respond) => respond.text('PLANTED words').then(() => respond.destroy())],
    [
      'sends an error in its stream',
      (respond) =>
        void respond.raw(`data: {"error":{"message":${JSON.stringify(mark)}}}\n\n`).then(() => respond.response.end()),
    ],
    [
      'sends a malformed chunk',
      (respond) => void respond.raw(`data: {"PLANTED\n\n`).then(() => respond.response.end()),
    ],
    [
      'calls an unknown function',
      async (respond) => {
        await respond.delta({
          tool_calls: [{ index: 0, id: 'c', function: { name: 'PLANTED_none', arguments: '{"PLANTED' } }],
        });
        await respond.end('tool_calls');
      },
    ],
  ])('says nothing of the conversation when the provider %s', async (_name, answer) => {
    model.answers(answer, async (respond) => respond.end());
    const text = await logged(async () => {
      const { id } = await app.client.ask('PLANTED question', { instructions: 'PLANTED instructions' });
      await app.client.finished(id);
    });
    expect(text).not.toMatch(needle);
  });

  test('says nothing of requests and credentials', async () => {
    const text = await logged(async () => {
      for (const query of [
        `{ ${mark}`,
        '{ PLANTED }',
        `query PLANTED($a: Int) { viewer(a: $a) { kind } }`,
        `{ thread(id: "PLANTED") { id } }`,
      ]) {
        await app.client.send(query, { a: mark });
        await ignored(app.client.stream(query).then((response) => response.text()));
      }
      for (const key of ['ag_PLANTED', 'PLANTED', 'eyJhbGciOiJub25lIn0.UExBTlRFRA.PLANTED'])
        await new Client(app.url, key).send('{ viewer { kind } }');
      await fetch(`${app.url}/graphql`, { method: 'POST', headers: app.client.headers, body: '{"query":"PLANTED' });
      await fetch(`${app.url}/files/PLANTED?signature=PLANTED&expires=PLANTED`);
      await sendFile(app.client, 'PLANTED', 'PLANTED.pdf', 'application/pdf');
      await sendFile(app.client, 'PLANTED', `${mark}.txt`, 'text/plain');
      const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      socket.on('open', () => socket.send('{"type":"PLANTED'));
      await new Promise((resolve) => socket.once('close', resolve));
    });
    expect(text).not.toMatch(needle);
  });

  test('says nothing of file contents', async () => {
    const { data } = await sendFile(app.client, '%PDF-1.7 PLANTED', 'broken.pdf', 'application/pdf');
    const query = 'query($id: ID!) { node(id: $id) { ... on File { ingestion { status } } } }';
    const isRead = async () => (await app.client.data(query, data.uploadFile.file)).node.ingestion.status === 'FAILED';
    await expect.poll(isRead, { timeout: 20_000 }).toBe(true);
    expect(lines.join('')).not.toMatch(needle);
  });
});

describe('the record of an error', () => {
  const text = (error: unknown) => JSON.stringify(errorRecord(error));
  const thrown = (work: () => unknown) => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };

  test.each<[string, unknown]>([
    ['of a parser', thrown(() => JSON.parse(`{"${mark}`))],
    [
      'with properties',
      Object.assign(new Error('failed'), { requestBodyValues: mark, url: mark, detail: mark, code: mark }),
    ],
    ['that quotes', new Error(`the title "${mark}" is too long`)],
    ['with a URL', new TypeError('https://user:PLANTED@host/ is no address')],
    ['of the address of a URL', thrown(() => new URL('http://PLANTED of a stranger'))],
    ['whose message looks like a stack', new Error('x\n    at PLANTED (/PLANTED/of.ts:1:1)')],
    [
      'whose message was replaced',
      Object.assign(new Error('x\n    at PLANTED (/PLANTED/of.ts:1:1)'), { message: 'y' }),
    ],
    ['of a class of its own', new (class extends Error {})(mark)],
    ['with a name', Object.assign(new Error('failed'), { name: mark })],
    ['with a cause', new Error('failed', { cause: new Error(`"${mark}"`, { cause: { detail: mark } }) })],
    ['of many', new AggregateError([new Error(`"${mark}"`)], 'failed')],
    ['that is a text', mark],
    ['that is an object', { message: mark, detail: mark }],
  ])('has no contents: an error %s', (_name, error) => {
    expect(text(error)).not.toMatch(needle);
  });

  test('says what failed, where and why', () => {
    const cause = Object.assign(new Error('connect'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port: 5432,
    });
    const record = errorRecord(new TypeError('Cannot do this', { cause }));
    expect(record).toMatchObject({ type: 'TypeError', message: 'Cannot do this' });
    expect(record.cause).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: 5432 });
    expect(record.stack?.[0]).toContain('log-contents.test.ts');
  });
});

test('of the errors of an outage, the log shows the first', () => {
  const lines: string[] = [];
  const log = createLog('info', isUnavailable, { write: (line) => void lines.push(line) });
  const lost = new Error('Connection terminated unexpectedly');
  for (let count = 0; count < 5; count += 1) log.error({ err: lost }, 'chore failed');
  log.error({ err: new Error('another') }, 'chore failed');
  expect(lines.map((line) => JSON.parse(line).err.type)).toEqual(['Error', 'Error']);
  expect(lines[1]).toContain('another');
});

test('line breaks and control characters make no other line and no colors', () => {
  const lines: string[] = [];
  const log = createLog('info', undefined, { write: (line) => void lines.push(line) });
  log.info({ part: '\u001b[31m red\nfake' }, 'a\nb');
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd()).not.toMatch(/\p{Cc}/u);
});
