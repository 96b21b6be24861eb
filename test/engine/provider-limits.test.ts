import { createGzip } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const patience = { timeoutMs: 5000, stallMs: 5000, retries: 0 };
const app = useApp({
  model,
  config: { model: patience, answer: { textBytes: 1000, argumentBytes: 1000, toolCalls: 3 } },
});

async function outcome() {
  const run = await app.client.ask('Go on');
  return app.client.finished(run.id, 'status lastError { code message retryable } messages { nodes { text } }');
}

const half = 'x'.repeat(100_000);
const empty = `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: '' } }] })}\n\n`;
const padded = `data: ${JSON.stringify({ id: 'x', note: half, choices: [{ index: 0, delta: { reasoning: '.' } }] })}\n\n`;
const nameless = `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: half } }] } }] })}\n\n`;

describe('a response without an end ends the run FAILED, and its connection', () => {
  const pieces: Array<[string, string]> = [
    ['one line', half],
    ['one event of many lines', `data: ${half}\n`],
    ['comments', `: ${half}\n\n`],
    ['empty deltas', empty.repeat(100)],
    ['arguments of a call without a name', nameless],
    ['long fields around the content', padded],
  ];
  test.each(pieces)('%s', async (name, piece) => {
    const closed = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      await respond.text('Half');
      if (name === 'one line') await respond.raw('data: ');
      await respond.endless(() => respond.raw(piece));
      closed.resolve();
    });
    const run = await outcome();
    await closed.promise;
    expect(run).toMatchObject({
      status: 'FAILED',
      lastError: { code: 'response_too_large', retryable: false },
      messages: { nodes: [{ text: 'Half' }] },
    });
  });
});

test('a compressed response counts as what it expands to', async () => {
  const closed = Promise.withResolvers<void>();
  model.answers(async ({ response }) => {
    response.once('close', closed.resolve);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
    const zip = createGzip();
    zip.pipe(response);
    zip.write(`: ${'\0'.repeat(50_000_000)}`);
  });
  expect(await outcome()).toMatchObject({ status: 'FAILED', lastError: { code: 'response_too_large' } });
  await closed.promise;
});

describe('an error without an end is reported by its status', () => {
  const errors: Array<[string, string]> = [
    ['text/plain', half],
    ['application/json', `["${half}",`],
  ];
  test.each(errors)('%s', async (type, piece) => {
    const closed = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      respond.response.writeHead(500, { 'content-type': type });
      await respond.endless(() => respond.raw(piece));
      closed.resolve();
    });
    expect(await outcome()).toMatchObject({ status: 'FAILED', lastError: { code: 'server_error', retryable: true } });
    await closed.promise;
  });
});

test('headers without an end end the run FAILED', async () => {
  model.answers(async (respond) => {
    const { socket } = respond.response;
    socket?.write('HTTP/1.1 200 OK\r\n');
    await respond.endless(() => socket?.write(`x-more: ${half}\r\n`));
  });
  expect(await outcome()).toMatchObject({ status: 'FAILED', lastError: { code: 'provider_unreachable' } });
});
