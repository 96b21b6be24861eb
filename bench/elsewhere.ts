// How much longer a token takes to a follower at another process than at the one that executes its run, over PostgreSQL and
// over Redis. DATABASE_URL: a PostgreSQL; REDIS_URL: a Redis. Baseline: the follower at the executing process, in the same run.
import { percentile } from './process-figures.ts';
import { nothingSeen, openReader } from './reader.ts';
import { headers, serveGraph } from './server.ts';
import { startStreamModel } from './stream-model.ts';

const follow =
  'subscription($id: ID!) { runEvents(runId: $id) { ... on MessageDelta { cursor text } ... on RunStatusChanged { status } } }';
const links = { PostgreSQL: '', Redis: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' };

for (const [name, REDIS_URL] of Object.entries(links)) {
  const model = await startStreamModel({ tokens: 100, perSecond: 50, waitMs: 300 });
  const environment = { OPENAI_BASE_URL: model.baseURL, REDIS_URL };
  const executor = await serveGraph(environment);
  const door = await serveGraph({ ...environment, DATABASE_URL: executor.databaseUrl, ROLE: 'api' });
  const [here, there] = [nothingSeen(), nothingSeen()];
  const firsts = { here: [] as number[], there: [] as number[] };
  for (let run = 0; run < 10; run += 1) {
    const { createRun } = await executor.graph(
      'mutation { createRun(input: { thread: { messages: [{ text: "Go" }] } }) { ... on CreateRunPayload { run { id } } } }',
    );
    const counts = [here.latencies.length, there.latencies.length] as const;
    const readers = await Promise.all([
      openReader(executor.url, headers.authorization, follow, { id: createRun.run.id }, here),
      openReader(door.url, headers.authorization, follow, { id: createRun.run.id }, there),
    ]);
    await Promise.all(readers.map(({ over }) => over));
    for (const { close } of readers) close();
    if (run === 0) continue;
    firsts.here.push(here.latencies[counts[0]] as number);
    firsts.there.push(there.latencies[counts[1]] as number);
  }
  const line = (what: string, one: number[], other: number[]) => {
    const [mine, theirs] = [percentile(one, 0.5), percentile(other, 0.5)];
    console.log(
      `${name.padEnd(11)} ${what.padEnd(12)} here p50 ${mine.toFixed(1)} ms  elsewhere p50 ${theirs.toFixed(1)} ms  p99 ${percentile(other, 0.99).toFixed(1)} ms  crossing ${(theirs - mine).toFixed(1)} ms`,
    );
  };
  line('first token', firsts.here, firsts.there);
  line('all tokens', here.latencies, there.latencies);
  await door.stop();
  await executor.stop();
  model.stop();
}
process.exit(0);
