import { describe, expect, inject, test } from 'vitest';
import { type AnyEvent, all, type Client, joined, until } from '../support/client.ts';
import { feedItems } from '../support/feed-items.ts';
import { ModelServer } from '../support/model-server.ts';
import { ServerProcess } from '../support/process.ts';
import { answerCalls, stepwise, stepwiseTexts, stepwiseTools } from '../support/stepwise.ts';

const redis = inject('redis');
/** The bus drivers between the processes. */
const links: Record<string, string | null> = { PostgreSQL: '', Redis: redis };

/** One instance that executes runs and two that only serve clients, on one database. */
async function startThree(model: ModelServer, REDIS_URL: string) {
  const SECRET_KEY = 'the-same-for-all-processes-of-this-test';
  const executor = await ServerProcess.prepare({ SECRET_KEY, REDIS_URL, OPENAI_BASE_URL: model.baseURL });
  const doors = [executor.with({ ROLE: 'api' }), executor.with({ ROLE: 'api' })] as const;
  await executor.start();
  await Promise.all(doors.map((door) => door.start()));
  const stop = async () => {
    for (const process of [...doors, executor]) await process[Symbol.asyncDispose]();
  };
  return { executor, doors, [Symbol.asyncDispose]: stop };
}

const overEither = (client: Client, index: number, runId: string, after?: string) =>
  index % 2 === 0 ? client.follow(runId, after) : client.followBySse(runId, after);

/** Reads the events one by one, each through another instance; calls `interrupt` after each. */
async function followPiecemeal(
  clients: (index: number) => Client,
  runId: string,
  next: () => void,
  interrupt: (event: AnyEvent, index: number) => Promise<void> = async () => {},
): Promise<AnyEvent[]> {
  const events: AnyEvent[] = [];
  for (let index = 0; events.at(-1)?.status !== 'COMPLETED'; index += 1) {
    const stream = overEither(clients(index), index, runId, events.at(-1)?.cursor);
    const { value, done } = await stream.next();
    await stream.return(undefined);
    expect(done).toBeFalsy();
    events.push(value);
    await interrupt(value, index);
    if (value.__typename.endsWith('Delta')) next();
    if (value.status === 'REQUIRES_ACTION') await answerCalls(clients(index), runId);
  }
  return events;
}

// An embedded database cannot be shared by processes.
describe.runIf(inject('postgres')).each(Object.entries(links))(
  'subscribers of other instances, over %s',
  (_name, link) => {
    test.runIf(link !== null)(
      'get the same items with or without a reconnect to another instance and transport after each event',
      async () => {
        await using model = await ModelServer.start();
        await using three = await startThree(model, link ?? '');
        const { next } = stepwise(model);
        const [one, other] = three.doors;
        const run = await one.client.ask('Go', { tools: stepwiseTools });
        const uncut = all(three.executor.client.follow(run.id));
        const cut = await followPiecemeal((index) => (index % 2 === 0 ? one : other).client, run.id, next);
        const whole = feedItems(await uncut);
        expect(feedItems(cut)).toEqual(whole);
        expect(new Set(Object.values(whole.texts))).toEqual(stepwiseTexts);
        // Each cursor resumes at the next event, on either instance.
        for (const [index, { cursor }] of cut.entries()) {
          const rest = await all(overEither(three.doors[index % 2]?.client as Client, index, run.id, cursor));
          expect(feedItems([...cut.slice(0, index + 1), ...rest])).toEqual(whole);
        }
      },
      90_000,
    );

    test.runIf(link !== null)(
      'get every item although their instance is killed and restarted',
      async () => {
        await using model = await ModelServer.start();
        await using three = await startThree(model, link ?? '');
        const { next } = stepwise(model);
        const [doomed] = three.doors;
        const run = await doomed.client.ask('Go', { tools: stepwiseTools });
        const uncut = all(three.executor.client.follow(run.id));
        const seen = new Set<string>();
        const cut = await followPiecemeal(
          () => doomed.client,
          run.id,
          next,
          async ({ __typename }) => {
            // Once after the first event of each kind.
            if (seen.has(__typename)) return;
            seen.add(__typename);
            await doomed.end('SIGKILL');
            await doomed.start();
          },
        );
        expect(seen.size).toBeGreaterThan(5);
        expect(feedItems(cut)).toEqual(feedItems(await uncut));
      },
      90_000,
    );

    test.runIf(link !== null)(
      'miss nothing between a query and a subscription, including reasoning',
      async () => {
        await using model = await ModelServer.start();
        await using three = await startThree(model, link ?? '');
        const { next } = stepwise(model);
        const [door] = three.doors;
        const run = await door.client.ask('Go', { tools: stepwiseTools });
        let begun = '';
        await until(door.client.follow(run.id), ({ __typename, text }) => {
          if (__typename !== 'ReasoningDelta') return false;
          begun += text;
          if (!begun.endsWith('think. ')) next();
          return begun.endsWith('think. ');
        });
        const query = 'query($id: ID!) { run(id: $id) { eventCursor steps { nodes { id reasoning } } } }';
        const { run: now } = await door.client.data(query, { id: run.id });
        expect(now.steps.nodes).toEqual([{ id: expect.any(String), reasoning: 'First I think. ' }]);
        const follower = door.client.follow(run.id, now.eventCursor);
        next();
        const rest: AnyEvent[] = [];
        for await (const event of follower) {
          rest.push(event);
          if (event.__typename.endsWith('Delta')) next();
          if (event.status === 'REQUIRES_ACTION') await answerCalls(door.client, run.id);
        }
        expect(rest.filter(({ __typename }) => __typename === 'ReasoningDelta')).toEqual([]);
        expect(joined(rest)).toBe('Wait, 请稍等 ⏳All done ✅');
      },
      90_000,
    );
  },
);
