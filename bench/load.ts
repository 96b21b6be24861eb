// Runs with 1, 30 and 200 threads at once: from the answer of createRun to the first token at its client, from the model's
// last byte to the terminal event, and runs per second. Baseline: the same model asked directly, as many at once, in the
// same run. DATABASE_URL: a PostgreSQL to use; without it the database is embedded.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { headers, serveGraph } from './server.ts';

const levels = [
  { threads: 1, runs: 100 },
  { threads: 30, runs: 600 },
  { threads: 200, runs: 1200 },
];
const words = Array.from({ length: 20 }, (_, index) => `word${index} `);
const lastBytes = new Map<string, number>();
/** How long the model takes from its first word to its end; 0: it is done at once. */
let thinkMs = 0;

const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
const usage = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 5, completion_tokens: 20, total_tokens: 25 } })}\n\n`;

const model = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  if (request.url?.endsWith('/models')) return response.end(JSON.stringify({ data: [{ id: 'instant' }] }));
  const asked = JSON.parse(body).messages.at(-1).content as string;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(words.map((content) => chunk({ content }, null)).join(''));
  if (thinkMs > 0) await delay(thinkMs);
  response.end(`${chunk({}, 'stop')}${usage}data: [DONE]\n\n`, () => lastBytes.set(asked, performance.now()));
});
await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
const baseURL = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;

const server = await serveGraph({ OPENAI_BASE_URL: baseURL, WORKER_CONCURRENCY: '250' });
await server.graph(
  'mutation { updateWorkspace(input: { settings: { maxConcurrentRuns: 250 } }) { ... on Error { message } } }',
);
const socket = createClient({
  url: `${server.url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: headers.authorization },
  lazy: false,
});
const createRun = `mutation($text: String!) {
  createRun(input: { thread: { messages: [{ text: $text }] } }) { ... on CreateRunPayload { run { id } } } }`;
const follow = `subscription($id: ID!) { runEvents(runId: $id) {
  __typename ... on MessageDelta { text } ... on RunStatusChanged { status } } }`;

interface Times {
  first: number;
  terminal: number;
}

let asked = 0;
async function runOnce(): Promise<Times> {
  asked += 1;
  const text = `Go ${asked}`;
  const { createRun: created } = await server.graph(createRun, { text });
  const answered = performance.now();
  let first = 0;
  const events = socket.iterate<Record<string, any>>({ query: follow, variables: { id: created.run.id } });
  for await (const { data } of events) {
    const event = data?.runEvents;
    if (event.__typename === 'MessageDelta') first ||= performance.now() - answered;
    if (event.status === 'FAILED') throw new Error('a run failed');
    if (event.status === 'COMPLETED') return { first, terminal: performance.now() - (lastBytes.get(text) ?? 0) };
  }
  throw new Error('the events ended early');
}

async function askDirectly(): Promise<Times> {
  const start = performance.now();
  const body = JSON.stringify({ model: 'instant', stream: true, messages: [{ role: 'user', content: 'direct' }] });
  const response = await fetch(`${baseURL}/chat/completions`, { method: 'POST', body });
  const reader = response.body?.getReader();
  await reader?.read();
  const first = performance.now() - start;
  while (!(await reader?.read())?.done);
  return { first, terminal: 0 };
}

/** Does it so many times, so many at once. */
async function load(work: () => Promise<Times>, { threads, runs }: { threads: number; runs: number }) {
  const times: Times[] = [];
  let left = runs;
  const start = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      times.push(await work());
    }
  };
  await Promise.all(Array.from({ length: threads }, loop));
  return { times, perSecond: (runs / (performance.now() - start)) * 1000 };
}

const percentile = (values: number[], share: number) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length * share)] ?? 0;
const both = (values: number[]) =>
  `p50 ${percentile(values, 0.5).toFixed(1).padStart(6)} ms   p99 ${percentile(values, 0.99).toFixed(1).padStart(6)} ms`;

console.log(`runs, ${process.env.DATABASE_URL ? 'PostgreSQL' : 'embedded'}, a model of 20 words`);
await load(runOnce, { threads: 4, runs: 80 });
for (const level of levels) {
  thinkMs = 50;
  const { times } = await load(runOnce, level);
  const direct = await load(askDirectly, level);
  thinkMs = 0;
  const instant = await load(runOnce, level);
  const first = times.map((time) => time.first);
  const terminal = times.map((time) => time.terminal);
  const ratio =
    percentile(first, 0.5) /
    percentile(
      direct.times.map((time) => time.first),
      0.5,
    );
  console.log(`${level.threads} at once, ${level.runs} runs`);
  console.log(
    `  first token                        ${both(first)}   ${ratio.toFixed(1)} times the model asked directly`,
  );
  console.log(`  terminal event after the last byte ${both(terminal)}`);
  console.log(`  runs to the end, model at once     ${instant.perSecond.toFixed(0)} a second`);
}
await socket.dispose();
await server.stop();
model.close();
model.closeAllConnections();
