// From the answer of createRun to the first token at a client, and from the model's last byte to the terminal event,
// with a model on loopback that answers at once. Baseline: the same model asked directly, in the same run.
// DATABASE_URL: a PostgreSQL to use; without it the database is embedded.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { headers, serveGraph } from './server.ts';

const runs = Number(process.env.BENCH_RUNS ?? 60);
const words = Array.from({ length: 20 }, (_, index) => `word${index} `);
let lastByteAt = 0;

const chunk = (delta: object, finish: string | null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const model = createServer((request, response) => {
  request.resume().on('end', () => {
    if (request.url?.endsWith('/models')) return response.end(JSON.stringify({ data: [{ id: 'instant' }] }));
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const content of words) response.write(chunk({ content }, null));
    response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`, () => {
      lastByteAt = performance.now();
    });
  });
});
await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
const baseURL = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;

async function askDirectly(): Promise<number> {
  const start = performance.now();
  const body = JSON.stringify({ model: 'instant', stream: true, messages: [{ role: 'user', content: 'Go' }] });
  const response = await fetch(`${baseURL}/chat/completions`, { method: 'POST', body });
  const reader = response.body?.getReader();
  await reader?.read();
  const first = performance.now() - start;
  await reader?.cancel();
  return first;
}

const server = await serveGraph({ OPENAI_BASE_URL: baseURL });
const socket = createClient({
  url: `${server.url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: headers.authorization },
  lazy: false,
});
const createRun =
  'mutation { createRun(input: { thread: { messages: [{ text: "Go" }] } }) { ... on CreateRunPayload { run { id } } } }';
const follow =
  'subscription($id: ID!) { runEvents(runId: $id) { __typename ... on MessageDelta { text } ... on RunStatusChanged { status } } }';

async function once(): Promise<{ mutation: number; first: number; terminal: number }> {
  const start = performance.now();
  const { createRun: created } = await server.graph(createRun);
  const answered = performance.now();
  let first = 0;
  for await (const { data } of socket.iterate<Record<string, any>>({
    query: follow,
    variables: { id: created.run.id },
  })) {
    const event = data?.runEvents;
    if (event.__typename === 'MessageDelta') first ||= performance.now() - answered;
    if (event.status === 'COMPLETED')
      return { mutation: answered - start, first, terminal: performance.now() - lastByteAt };
    if (event.status === 'FAILED') throw new Error('a run failed');
  }
  throw new Error('the events ended early');
}

const percentile = (values: number[], share: number) =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length * share)] ?? 0;
const line = (name: string, values: number[]) =>
  `  ${name.padEnd(52)} p50 ${percentile(values, 0.5).toFixed(1).padStart(6)} ms   p95 ${percentile(values, 0.95).toFixed(1).padStart(6)} ms`;

for (let index = 0; index < 15; index += 1) await once();
const results = [];
const direct = [];
for (let index = 0; index < runs; index += 1) {
  results.push(await once());
  direct.push(await askDirectly());
}
console.log(`a run, ${process.env.DATABASE_URL ? 'PostgreSQL' : 'embedded'}, one at a time, ${runs} runs`);
console.log(line('the model asked directly, first byte', direct));
console.log(
  line(
    'createRun answered',
    results.map(({ mutation }) => mutation),
  ),
);
console.log(
  line(
    "first token, after createRun's answer",
    results.map(({ first }) => first),
  ),
);
console.log(
  line(
    "terminal event, after the model's last byte",
    results.map(({ terminal }) => terminal),
  ),
);
const ratio =
  percentile(
    results.map(({ first }) => first),
    0.5,
  ) / percentile(direct, 0.5);
console.log(`  first token: ${ratio.toFixed(1)} times the model asked directly`);
await socket.dispose();
await server.stop();
model.close();
model.closeAllConnections();
