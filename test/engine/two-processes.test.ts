import { describe, expect, inject, test } from 'vitest';
import { all, joined, until } from '../support/client.ts';
import { ModelServer } from '../support/model-server.ts';
import { ServerProcess } from '../support/process.ts';

// An embedded database cannot be shared by processes.
describe.runIf(inject('postgres'))('two processes of one server', () => {
  const shared = { SECRET_KEY: 'the-same-for-both-processes-of-this-test' };

  test('recover from a kill: the other takes the run over, and waits and subscriptions continue', async () => {
    await using model = await ModelServer.start();
    model.answers(
      async (respond) => respond.text('Half'),
      async (respond) => {
        await respond.text('All of it.');
        await respond.end();
      },
    );
    await using doomed = await ServerProcess.prepare({ ...shared, OPENAI_BASE_URL: model.baseURL });
    await using heir = doomed.with({});
    await using door = doomed.with({ ROLE: 'api' });
    await Promise.all([doomed.start(), door.start()]);
    const run = await door.client.ask('Go');
    const waiting = door.client.finished(run.id, 'status attempt lastError { code }');
    const following = all(door.client.follow(run.id));
    await until(door.client.follow(run.id), ({ text }) => text === 'Half');
    await heir.start();
    await doomed.end('SIGKILL');
    expect(await waiting).toMatchObject({ status: 'COMPLETED', attempt: 2, lastError: null });
    expect(joined(await following)).toBe('HalfAll of it.');
  }, 90_000);

  test('assign each position once and create one run for each idempotency key', async () => {
    await using one = await ServerProcess.prepare({ ...shared, DEMO_DELAY_MS: '0' });
    await using other = one.with({});
    await Promise.all([one.start(), other.start()]);
    const clients = [one.client, other.client];
    const thread = await one.client.createThread();
    const writes = Array.from({ length: 40 }, (_, index) => {
      const client = clients[index % 2] as (typeof clients)[number];
      const message = { text: `第${index}条 🙂` };
      if (index % 4 < 2)
        return client.mutate('createMessage', { threadId: thread.id, message }, 'threadMessage { id }');
      return client.run({ threadId: thread.id, messages: [message] });
    });
    await Promise.all(writes);
    const runs = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        clients[index % 2]?.run({ threadId: thread.id, messages: [{ text: 'once' }], idempotencyKey: 'only one' }),
      ),
    );
    const [id, ...others] = new Set(runs.map((run) => run?.id));
    expect(others).toEqual([]);
    expect((await other.client.finished(id as string)).status).toBe('COMPLETED');
    const query = `query($id: ID!) { thread(id: $id) { messages(first: 100, orderBy: { direction: ASC }) { nodes { position role } }
      runs(first: 100) { nodes { status } } } }`;
    const { thread: now } = await one.client.data(query, { id: thread.id });
    expect(now.runs.nodes).toEqual(Array(21).fill({ status: 'COMPLETED' }));
    const positions = now.messages.nodes.map(({ position }: { position: number }) => position);
    expect(positions).toEqual(Array.from({ length: 41 + 21 }, (_, index) => index + 1));
  }, 90_000);
});
