// Readers that pause for a minute on an answer of 2 MB: what the server holds for them, whether others wait for it, and how
// they catch up. Baseline: what it held before. DATABASE_URL: a PostgreSQL to use; else the database is embedded.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { headers, serveGraph } from './server.ts';

const paused = 100;
const pauseMs = Number(process.env.BENCH_PAUSE_MS ?? 60_000);
const words = 'a word or two '.repeat(100);
const pieces = Math.ceil(2_000_000 / words.length);
const figures = join(tmpdir(), `assistant-graph-bench-${process.pid}.json`);

const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const model = createServer((request, response) => {
  request.resume().on('end', async () => {
    if (request.url?.endsWith('/models')) return response.end(JSON.stringify({ data: [{ id: 'long' }] }));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chunk({ content: words }, null));
    await delay(3000);
    for (let index = 1; index < pieces; index += 1) {
      response.write(chunk({ content: words }, null));
      await delay(1);
    }
    response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`);
  });
});
await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
const OPENAI_BASE_URL = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;
const NODE_OPTIONS = '--expose-gc --import=./collect.ts';
const server = await serveGraph({ OPENAI_BASE_URL, NODE_OPTIONS, BENCH_FIGURES: figures });

async function held(): Promise<number> {
  process.kill(server.pid, 'SIGUSR2');
  await delay(1000);
  return JSON.parse(await readFile(figures, 'utf8')).held / 1e6;
}

const query =
  'subscription($id: ID!) { runEvents(runId: $id) { ... on MessageDelta { text } ... on RunStatusChanged { status } } }';

/** A reader of a run; `length` of what it has read, in how many messages, and when it was over. */
async function open(id: string) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: headers.authorization } }));
  await once(socket, 'message');
  const read = { length: 0, messages: 0 };
  const { promise: over, resolve } = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    const event = JSON.parse(String(data)).payload?.data?.runEvents;
    if (event?.text) {
      read.length += event.text.length;
      read.messages += 1;
    }
    if (event?.status === 'COMPLETED') resolve();
  });
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { id } } }));
  await once(socket, 'message');
  return { socket, read, over };
}

const { createRun } = await server.graph(
  'mutation { createRun(input: { thread: { messages: [{ text: "Go" }] } }) { ... on CreateRunPayload { run { id } } } }',
);
const readers = await Promise.all(Array.from({ length: paused }, () => open(createRun.run.id)));
const other = await open(createRun.run.id);
const before = await held();
for (const { socket } of readers) socket.pause();
const start = performance.now();
await other.over;
console.log(`another reader: ${other.read.length} characters in ${((performance.now() - start) / 1000).toFixed(1)} s`);
const during = await held();
await delay(pauseMs);
const after = await held();
console.log(
  `held: ${before.toFixed(1)} MB before, ${during.toFixed(1)} MB when ${paused} readers had paused, ${after.toFixed(1)} MB after ${pauseMs / 1000} s`,
);
const counts = readers.map(({ read }) => read.messages);
const resumed = performance.now();
for (const { socket } of readers) socket.resume();
await Promise.all(readers.map(({ over }) => over));
const caught = readers.map(({ read }, index) => read.messages - (counts[index] as number));
const whole = readers.filter(({ read }) => read.length === other.read.length).length;
console.log(
  `${whole} of ${paused} caught up whole in ${(performance.now() - resumed).toFixed(0)} ms, in ${Math.min(...caught)} to ${Math.max(...caught)} messages each`,
);
await server.stop();
process.exit(0);
