// Followers of one run, and of many runs, at 50 tokens a second: how long a token is on its way, what it costs the server,
// and how many bytes it takes. Baseline: a bare ws broadcast of the same tokens, in the same run.
// DATABASE_URL: a PostgreSQL to use; without it the database is embedded. BENCH_ONLY: one of the names below.
import { setTimeout as delay } from 'node:timers/promises';
import { cpuOf, percentile } from './process-figures.ts';
import { nothingSeen, openCheapReader, openReader, type Seen } from './reader.ts';
import { headers, type Served, serve, serveGraph } from './server.ts';
import { startStreamModel } from './stream-model.ts';

const perSecond = 50;
const tokens = 200;
const samples = 10;
const follow =
  'subscription($id: ID!) { runEvents(runId: $id) { ... on MessageDelta { cursor text } ... on RunStatusChanged { status } } }';

interface Result {
  seen: Seen;
  cpu: number;
  seconds: number;
  followers: number;
}

function show(name: string, { seen, cpu, seconds, followers }: Result): void {
  const readers = Math.min(samples, followers);
  const events = (seen.messages / readers) * followers;
  console.log(
    [
      name.padEnd(34),
      `p50 ${percentile(seen.latencies, 0.5).toFixed(1).padStart(7)} ms`,
      `p99 ${percentile(seen.latencies, 0.99).toFixed(1).padStart(7)} ms`,
      `${(seen.tokens / seen.messages).toFixed(1)} tokens an event`,
      `${(events / cpu).toFixed(0).padStart(6)} events/s a core`,
      `${((cpu / events) * 1e6).toFixed(0).padStart(4)} µs an event`,
      `CPU ${((cpu / seconds) * 100).toFixed(0)} %`,
      `${(seen.bytes / seen.messages).toFixed(0)} bytes an event`,
    ].join('  '),
  );
}

/** So many followers of one run each of so many runs. */
async function measure(server: Served, start: () => Promise<string>, runs: number, each: number): Promise<Result> {
  const seen = nothingSeen();
  const key = headers.authorization;
  const open: Array<() => void> = [];
  const over: Array<Promise<void>> = [];
  const ids = await Promise.all(Array.from({ length: runs }, start));
  const total = runs * each;
  const every = Math.max(1, Math.floor(total / samples));
  for (let index = 0; index < total; index += 1) {
    const id = ids[index % runs] as string;
    if (index % every === 0 && over.length < samples) {
      const reader = await openReader(server.url, key, follow, { id }, seen);
      over.push(reader.over);
      open.push(reader.close);
    } else {
      const socket = await openCheapReader(server.url, key, follow, { id });
      open.push(() => socket.destroy());
    }
  }
  const before = cpuOf(server.pid);
  const began = performance.now();
  await Promise.race([Promise.all(over), delay(60_000)]);
  const result = {
    seen,
    cpu: cpuOf(server.pid) - before,
    seconds: (performance.now() - began) / 1000,
    followers: total,
  };
  for (const close of open) close();
  return result;
}

const levels: Array<[name: string, runs: number, each: number]> = [
  ['1 follower', 1, 1],
  ['100 followers of a run', 1, 100],
  ['2000 followers of a run', 1, 2000],
  ['100 runs, a follower each', 100, 1],
  ['500 runs, a follower each', 500, 1],
];

for (const [name, runs, each] of levels) {
  if (process.env.BENCH_ONLY && process.env.BENCH_ONLY !== name) continue;
  // Followers are there before the first token is.
  const model = await startStreamModel({ tokens, perSecond, waitMs: 2000 + runs * each * 2 });
  const environment = {
    OPENAI_BASE_URL: model.baseURL,
    WORKER_CONCURRENCY: '600',
    ...(process.env.BENCH_PROFILE ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${process.env.BENCH_PROFILE}` } : {}),
  };
  if (runs === 1) {
    const baseline = await serve('broadcast-baseline.ts', environment);
    const start = async () => {
      await fetch(baseline.url, { method: 'POST' });
      return '';
    };
    show(`${name}, bare ws`, await measure(baseline, start, runs, each));
    await baseline.stop();
  }
  const server = await serveGraph(environment);
  await server.graph(
    'mutation { updateWorkspace(input: { settings: { maxConcurrentRuns: 600 } }) { ... on Error { message } } }',
  );
  const start = async () => {
    const created = await server.graph(
      'mutation { createRun(input: { thread: { messages: [{ text: "Go" }] } }) { ... on CreateRunPayload { run { id } } } }',
    );
    return created.createRun.run.id as string;
  };
  show(name, await measure(server, start, runs, each));
  await server.stop();
  model.stop();
}
process.exit(0);
