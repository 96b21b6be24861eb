// A page of 20 messages over HTTP, against the same two SQL statements by hand over node:http, in the same run.
// DATABASE_URL: a PostgreSQL for both (a database of its own: tables are made in it); without it both are embedded.
import autocannon from 'autocannon';
import { headers, serve, serveGraph } from './server.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 8);
const connections = 16;
const query = `query Page($id: ID!) {
  thread(id: $id) {
    id
    title
    messages(first: 20) {
      nodes { id role status text createdAt }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

async function rate(url: string, path: string, body: object): Promise<number> {
  const load = (duration: number) =>
    autocannon({ url: `${url}${path}`, method: 'POST', headers, body: JSON.stringify(body), connections, duration });
  await load(3);
  const { requests, non2xx, errors } = await load(seconds);
  if (non2xx + errors > 0) throw new Error(`${non2xx} refused, ${errors} failed at ${url}`);
  return requests.average;
}

const server = await serveGraph();
const messages = Array.from({ length: 40 }, (_, index) => ({ text: `Message ${index}: ${'some words '.repeat(20)}` }));
const { createThread } = await server.graph(
  'mutation($input: CreateThreadInput!) { createThread(input: $input) { ... on CreateThreadPayload { thread { id } } } }',
  { input: { title: 'Bench', messages } },
);
const id = createThread.thread.id;
const hello = await rate(server.url, '/graphql', { query: '{ __typename }' });
const graph = await rate(server.url, '/graphql', { query, variables: { id } });
let baselineEnvironment: Record<string, string> = { THREAD_ID: id, DATABASE_URL: server.databaseUrl };
if (!server.databaseUrl) {
  // An embedded database takes one process: the baseline fills one of its own with the same rows.
  baselineEnvironment = { THREAD_ID: id, MESSAGES: JSON.stringify(messages) };
}
const baseline = await serve('./page-baseline.ts', baselineEnvironment);
const byHand = await rate(baseline.url, '/', { query, variables: { id } });
await baseline.stop();
await server.stop();

const database = process.env.DATABASE_URL ? 'PostgreSQL' : 'embedded';
console.log(`page of 20 messages, ${database}, ${connections} connections, requests/s`);
console.log(`  by hand over node:http   ${byHand.toFixed(0)}`);
console.log(`  assistant-graph          ${graph.toFixed(0)}   ratio ${(graph / byHand).toFixed(2)}`);
console.log(`  assistant-graph { __typename }   ${hello.toFixed(0)}`);
