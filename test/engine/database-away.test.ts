import { afterAll, afterEach, describe, expect, inject, test, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { type AnyEvent, all, joined, shape } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { OutageProxy } from '../support/outage-proxy.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp, useModel } from '../support/use-app.ts';

const postgres = inject('postgres');
// No outage of these tests is long.
const database = { ...fastTiming.database, probeMs: 100, answerMs: 400, awayMs: 60_000 };
const timing = { ...fastTiming, database };

describe.runIf(postgres)('while PostgreSQL is away', () => {
  const model = useModel();
  let proxy: OutageProxy;
  afterAll(() => proxy[Symbol.asyncDispose]());
  // All processes of a server have one.
  const secretKey = 'a-secret-key-of-these-tests-only';
  const settings = () => ({ DATABASE_URL: proxy.url, DATABASE_CONNECTIONS: '4', SECRET_KEY: secretKey });
  const app = useApp({
    model,
    environment: async () => {
      proxy = await OutageProxy.start(await copyTemplate(postgres as NonNullable<typeof postgres>));
      return settings();
    },
    config: { timing },
  });
  afterEach(() => proxy.restore());

  /** Starts a run whose model has written `Hello`, and writes ` world` and ends when `go` is called. */
  async function begunRun() {
    const go = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      await respond.text('Hello');
      await go.promise;
      await respond.text(' world');
      await respond.end();
      ended.resolve();
    });
    const run = await app.client.ask('Greet');
    const events = app.client.follow(run.id);
    for await (const event of events) if (event.__typename === 'MessageDelta') break;
    return { run, go: go.resolve, ended: ended.promise };
  }

  const outcome = 'status attempt lastError { code } steps { nodes { type status message { text status } } }';
  const completed = {
    status: 'COMPLETED',
    attempt: 1,
    lastError: null,
    steps: {
      nodes: [{ type: 'MESSAGE_CREATION', status: 'COMPLETED', message: { text: 'Hello world', status: 'COMPLETED' } }],
    },
  };

  test('a run whose answer ends meanwhile waits, and completes', async () => {
    const { run, go, ended } = await begunRun();
    proxy.cut();
    go();
    await ended;
    await vi.waitUntil(() => proxy.refused > 5, 10_000);
    proxy.restore();
    expect(await app.client.finished(run.id, outcome)).toEqual({ __typename: 'Run', ...completed });
  });

  test('a run is neither lost nor taken over when its lease runs out meanwhile', async () => {
    const { run, go } = await begunRun();
    // Another worker, which takes over what nobody holds.
    await using _other = await startTestApp({ ...settings(), ROLE: 'worker' }, { timing });
    const before = performance.now();
    proxy.cut();
    await vi.waitUntil(() => performance.now() - before > fastTiming.run.leaseMs * 1.2, 10_000);
    proxy.restore();
    go();
    expect(await app.client.finished(run.id, outcome)).toEqual({ __typename: 'Run', ...completed });
  });

  test('an outage between two calls of the model does not end the run', async () => {
    const called = Promise.withResolvers<void>();
    const tools = [{ function: { name: 'look', parameters: { type: 'object' } } }];
    model.answers(
      async (respond) => {
        await respond.delta({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'look', arguments: '{}' } }] });
        proxy.cut();
        called.resolve();
        await respond.end('tool_calls');
      },
      async (respond) => {
        await respond.text('Hello world');
        await respond.end();
      },
    );
    const run = await app.client.ask('Look', { tools });
    await called.promise;
    await vi.waitUntil(() => proxy.refused > 5, 10_000);
    proxy.restore();
    const parked = await app.client.finished(run.id, 'status requiredAction { toolCalls { id } }');
    expect(parked.status).toBe('REQUIRES_ACTION');
    const outputs = parked.requiredAction.toolCalls.map(({ id }: { id: string }) => ({
      toolCallId: id,
      output: 'seen',
    }));
    await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
    expect((await app.client.finished(run.id)).status).toBe('COMPLETED');
  });

  test.each(['commit', 'answer'] as const)(
    'a change of a run happens once when the connection is lost at its commit: %s',
    async (kind) => {
      const lost = Promise.withResolvers<void>();
      model.answers(async (respond) => {
        void proxy.loseCommit(kind).then(lost.resolve);
        await respond.text('Hello');
        await lost.promise;
        await respond.text(' world');
        await respond.end();
      });
      const run = await app.client.ask('Greet');
      expect(await app.client.finished(run.id, outcome)).toEqual({ __typename: 'Run', ...completed });
      const events = await all(app.client.follow(run.id));
      expect(joined(events)).toBe('Hello world');
      expect(shape(events).filter((name) => name === 'MessageStarted')).toHaveLength(1);
    },
  );

  test('requests get the status 503 and a code, and work again afterwards', async () => {
    proxy.cut();
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: app.client.headers,
      body: JSON.stringify({ query: '{ threads { nodes { id } } }' }),
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    const { errors } = (await response.json()) as { errors: Array<{ extensions: object }> };
    expect(errors[0]?.extensions).toEqual({ code: 'UNAVAILABLE' });
    const stream = await app.client.stream('{ threads { nodes { id } } }');
    expect([stream.status, await stream.text()]).toEqual([503, expect.stringContaining('"UNAVAILABLE"')]);
    proxy.restore();
    await vi.waitUntil(async () => (await app.client.send('{ threads { nodes { id } } }')).status === 200, 10_000);
  });

  test('a subscription survives a short outage', async () => {
    const { run, go } = await begunRun();
    const events: AnyEvent[] = [];
    for await (const event of app.client.follow(run.id)) {
      if (event.__typename === 'MessageDelta' && events.every(({ __typename }) => __typename !== 'MessageDelta')) {
        proxy.cut();
        go();
        void vi.waitUntil(() => proxy.refused > 10, 10_000).then(() => proxy.restore());
      }
      events.push(event);
    }
    expect(joined(events)).toBe('Hello world');
  });
});
