// What a subscriber costs in memory, idle and while it is told something, and what is left of many that came and went.
// Baseline: sockets of a bare ws server, in the same run. DATABASE_URL: a PostgreSQL to use; else the database is embedded.
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openCheapReader } from './reader.ts';
import { headers, type Served, serve, serveGraph } from './server.ts';
import { startStreamModel } from './stream-model.ts';

const subscribers = 2000;
const comers = 10_000;
const figures = join(tmpdir(), `assistant-graph-bench-${process.pid}.json`);
const gc = { NODE_OPTIONS: '--expose-gc --import=./collect.ts', BENCH_FIGURES: figures };
const follow = 'subscription($id: ID!) { threadEvents(threadId: $id) { ... on MessageDelta { cursor text } } }';

/** What a process holds when all that is garbage has been collected: in bytes, and how many handles of the system. */
async function settled(server: Served): Promise<{ held: number; rss: number; handles: number }> {
  for (let time = 0; time < 3; time += 1) {
    process.kill(server.pid, 'SIGUSR2');
    await delay(1000);
  }
  return JSON.parse(await readFile(figures, 'utf8'));
}

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} kB`;

async function measure(name: string, server: Served, idOf: (index: number) => Promise<string>, query: string) {
  const ids: string[] = [];
  for (let index = 0; index < subscribers; index += 1) ids.push(await idOf(index));
  // What is made once is there before the first is measured.
  const first = await Promise.all(
    ids.slice(0, 50).map((id) => openCheapReader(server.url, headers.authorization, query, { id })),
  );
  for (const socket of first) socket.destroy();
  const before = await settled(server);
  const sockets = [];
  for (const id of ids) sockets.push(await openCheapReader(server.url, headers.authorization, query, { id }));
  const after = await settled(server);
  console.log(`${name.padEnd(58)} ${kilobytes((after.held - before.held) / subscribers)} a subscriber`);
  return { sockets, before };
}

const bare = await serve('broadcast-baseline.ts', { OPENAI_BASE_URL: 'http://127.0.0.1:1', ...gc });
await measure('bare ws, an open socket', bare, async () => '', '');
await bare.stop();

const model = await startStreamModel({ tokens: 900, perSecond: 50, waitMs: 5000 });
const server = await serveGraph({ OPENAI_BASE_URL: model.baseURL, ...gc });
const createThread = async () => {
  const { createThread: created } = await server.graph(
    'mutation { createThread(input: {}) { ... on CreateThreadPayload { thread { id } } } }',
  );
  return created.thread.id as string;
};
const close = (sockets: Array<{ destroy(): unknown }>) => {
  for (const socket of sockets) socket.destroy();
};
close((await measure('a socket without an operation', server, async () => '', '')).sockets);
await delay(1000);
const shared = await createThread();
const { sockets, before } = await measure('idle, all following one thread', server, async () => shared, follow);
const input = { threadId: shared, messages: [{ text: 'Go' }] };
await server.graph('mutation($input: CreateRunInput!) { createRun(input: $input) { __typename } }', { input });
await delay(8000);
const active = await settled(server);
const each = kilobytes((active.held - before.held) / subscribers);
console.log(`${'the same, while 50 tokens a second are told'.padEnd(58)} ${each} a subscriber`);
close(sockets);
await delay(1000);
close((await measure('idle, each following a thread of its own', server, createThread, follow)).sockets);
await delay(1000);

const start = await settled(server);
for (let come = 0; come < comers; come += 50) {
  const group = Array.from({ length: 50 }, () =>
    openCheapReader(server.url, headers.authorization, follow, { id: shared }),
  );
  close(await Promise.all(group));
}
await delay(2000);
const end = await settled(server);
console.log(
  `${`${comers} sockets, opened and closed in turn`.padEnd(58)} ${kilobytes(end.held - start.held)} and ${end.handles - start.handles} handles more, in all`,
);
await server.stop();
model.stop();
process.exit(0);
