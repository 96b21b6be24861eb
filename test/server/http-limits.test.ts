import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { serverLimits } from '../../src/server/limits.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openSocket } from '../support/raw-socket.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

test('a request with headers above the limit is refused with 431', async () => {
  const statusOf = (length: number) =>
    new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${app.url}/health`, { headers: { 'x-long': 'x'.repeat(length) } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject).end();
    });
  expect(await statusOf(serverLimits.headerBytes - 1000)).toBe(200);
  expect(await statusOf(serverLimits.headerBytes)).toBe(431);
});

test('a multipart body with more parts than its files need is refused with 413', async () => {
  const operations = JSON.stringify({ query: '{ viewer { kind } }' });
  const fields = (count: number) => {
    const form = new FormData();
    for (const [name, value] of [
      ['operations', operations],
      ['map', '{}'],
    ] as const)
      form.append(name, value);
    for (let index = 0; index < count; index += 1) form.append(`further${index}`, 'x');
    const { 'content-type': _type, ...headers } = app.client.headers;
    return fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
  };
  const { uploads } = readConfig({}).config.files;
  // Fields beyond `operations` and `map` are ignored, up to the limit of parts.
  const most = uploads + serverLimits.multipartExtraParts - serverLimits.multipartFields;
  expect((await fields(most)).status).toBe(200);
  expect((await fields(most + 1)).status).toBe(413);
});

test('a socket with as many operations under way as it can have refuses one more', async () => {
  const { id } = await app.client.createThread();
  const socket = await openSocket(app.client);
  const query = 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }';
  const limit = serverLimits.socketOperations;
  for (let index = 0; index <= limit; index += 1) socket.send(String(index), query, { id });
  await expect.poll(() => socket.received.filter(({ id }) => id !== undefined).length).toBe(1);
  expect(JSON.stringify(socket.of(String(limit)))).toContain('RATE_LIMITED');
  socket.socket.terminate();
});

test('a socket with as many queries under way as it can have refuses one more', async () => {
  const run = await app.client.ask('wait', { tools: [{ function: { name: 'wait' } }] });
  expect(await app.client.finished(run.id)).toMatchObject({ status: 'REQUIRES_ACTION' });
  const queued = await app.client.run({ threadId: run.thread.id, messages: [{ text: 'next' }] });
  const socket = await openSocket(app.client);
  const query = 'query($id: ID!) { waitForRun(id: $id, timeoutSeconds: 30) { __typename } }';
  const limit = serverLimits.socketResults;
  for (let index = 0; index <= limit; index += 1) socket.send(String(index), query, { id: queued.id });
  await expect.poll(() => socket.received.filter(({ id }) => id !== undefined).length).toBe(1);
  expect(JSON.stringify(socket.received)).toContain('RATE_LIMITED');
  socket.socket.terminate();
});
