import { setTimeout as delay } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type AnyEvent, type Client, until } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { feedItems } from '../support/feed-items.ts';
import { LossyBus } from '../support/lossy-bus.ts';
import { ModelServer } from '../support/model-server.ts';
import { randomFrom, testSeed } from '../support/seed.ts';
import { fastTiming } from '../support/timing.ts';

const tools = [{ function: { name: 'one' } }, { function: { name: 'two' } }];
const terminal = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'INCOMPLETE', 'EXPIRED']);
const call = (index: number, name: string, text: string) => ({
  index,
  id: `call${index}`,
  type: 'function',
  function: { name, arguments: text },
});

/**
 * Lets the model stream reasoning, text and calls in deltas of random length, and answer when it has the outputs. A
 * request with "halt" stalls in the middle of its first answer.
 */
function script(model: ModelServer, random: () => number): void {
  const halted = new Set<string>();
  const inPieces = async (text: string, send: (delta: string) => Promise<void>) => {
    for (let start = 0; start < text.length; ) {
      const end = start + 1 + Math.floor(random() * 12);
      await send(text.slice(start, end));
      start = end;
      if (random() < 0.3) await delay(random() * 20);
    }
  };
  model.answers(async (respond, { messages }) => {
    const think = (text: string) => inPieces(text, (delta) => respond.delta({ reasoning_content: delta }));
    const say = (text: string) => inPieces(text, (delta) => respond.text(delta));
    if (messages.at(-1)?.role === 'tool') {
      await think('Now I know. ');
      await say('一切都好 🙂, all is well. '.repeat(6));
      return respond.end();
    }
    await think('Let me see 🤔, 让我想想. '.repeat(3));
    const asked = JSON.stringify(messages.at(-1)?.content);
    if (asked.includes('halt') && !halted.has(asked)) {
      halted.add(asked);
      return say('🙂 I was about to say');
    }
    await say('One moment, 请稍等 ⏳. '.repeat(4));
    for (const [index, name] of ['one', 'two'].entries()) {
      await respond.delta({ tool_calls: [call(index, name, '{"text":"')] });
    }
    for (const index of [0, 1, 0, 1, 0, 1]) {
      await respond.delta({ tool_calls: [{ index, function: { arguments: '参数 🔧 ' } }] });
    }
    for (const index of [0, 1]) await respond.delta({ tool_calls: [{ index, function: { arguments: '"}' } }] });
    await respond.end('tool_calls');
  });
}

/** Servers on one database and a lossy bus: two on PostgreSQL, one on an embedded database. */
async function startServers(model: ModelServer, random: () => number) {
  const postgres = inject('postgres');
  const shared: Record<string, string> = postgres
    ? { DATABASE_URL: await copyTemplate(postgres), SECRET_KEY: 'x'.repeat(40) }
    : {};
  const environment = { OPENAI_BASE_URL: model.baseURL, ADMIN_KEY: 'ag_a-key-of-this-test-only', ...shared };
  const buses: LossyBus[] = [];
  const wrapBus = (bus: Bus) => {
    const lossy = new LossyBus(bus, random);
    buses.push(lossy);
    return lossy;
  };
  // A lost last message of a phase is found at the next poll.
  const config = { timing: { ...fastTiming, feedPollMs: 200 } };
  const apps = [await startTestApp(environment, config, { wrapBus })];
  if (postgres) apps.push(await startTestApp(environment, config, { wrapBus }));
  return { apps, lost: () => buses.reduce((sum, { lost }) => sum + lost, 0) };
}

/** Follows a run to its end over random servers and transports, at a random speed, with random reconnects. */
async function followAnyhow(clients: Client[], runId: string, random: () => number): Promise<AnyEvent[]> {
  const events: AnyEvent[] = [];
  while (!terminal.has(events.at(-1)?.status)) {
    const client = clients[Math.floor(random() * clients.length)] as Client;
    const after = events.at(-1)?.cursor;
    const stream = random() < 0.5 ? client.follow(runId, after) : client.followBySse(runId, after);
    const readUntil = events.length + 1 + Math.floor(random() * 15);
    for await (const event of stream) {
      events.push(event);
      if (events.length >= readUntil) break;
      if (random() < 0.2) await delay(random() * 60);
    }
  }
  return events;
}

/** Submits outputs for the calls of a run until it ends. */
async function serveCalls(client: Client, runId: string): Promise<void> {
  for (;;) {
    const run = await client.finished(runId, 'status requiredAction { toolCalls { id } }');
    if (terminal.has(run.status)) return;
    const calls: Array<{ id: string }> = run.requiredAction?.toolCalls ?? [];
    const outputs = calls.map(({ id }) => ({ toolCallId: id, output: `output 结果 of ${id}` }));
    if (calls.length > 0) await client.mutate('submitToolOutputs', { runId, outputs }, 'run { id }');
  }
}

const graph = `query($id: ID!) { run(id: $id) { status attempt messages(orderBy: { direction: ASC }) { nodes { id text } }
  steps { nodes { id reasoning toolCalls { id ... on FunctionToolCall { arguments output } } } } } }`;

/** The stored texts of a run, by the keys of `feedItems`, and its attempt. */
async function held(client: Client, id: string): Promise<{ texts: Record<string, string>; attempt: number }> {
  const { run } = await client.data(graph, { id });
  expect(run.status).toBe('COMPLETED');
  const texts = [
    ...run.messages.nodes.map((message: AnyEvent) => [message.id, message.text]),
    ...run.steps.nodes.flatMap((step: AnyEvent) => [
      [`${step.id} reasoning`, step.reasoning],
      ...step.toolCalls.flatMap((of: AnyEvent) => [
        [`${of.id} arguments`, of.arguments],
        [`${of.id} output`, of.output],
      ]),
    ]),
  ];
  return { texts: Object.fromEntries(texts.filter(([, text]) => text)), attempt: run.attempt };
}

/** Ends the lease of a run as the death of its worker would: another worker, or the same one, takes it over. */
async function moveExecutor({ app }: TestApp, runId: string): Promise<void> {
  await app.services.database.$executeRaw`
    UPDATE "Run" SET "fence" = "fence" + 1, "leasedUntil" = now() - interval '1 minute' WHERE "id" = ${runId}`;
}

async function play(seed: number): Promise<void> {
  const random = randomFrom(seed);
  await using model = await ModelServer.start();
  script(model, random);
  const { apps, lost } = await startServers(model, random);
  try {
    const clients = apps.map(({ client }) => client);
    const [client] = clients as [Client];
    await Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const isMoved = index % 2 === 1;
        const run = await client.ask(isMoved ? `halt ${index}` : 'Go', { tools });
        const serving = serveCalls(client, run.id);
        const following = Promise.all(Array.from({ length: 4 }, () => followAnyhow(clients, run.id, random)));
        if (isMoved) {
          await until(client.follow(run.id), ({ text = '' }) => text.includes('🙂'));
          await moveExecutor(apps[0] as TestApp, run.id);
        }
        const all = await following;
        await serving;
        const { texts, attempt } = await held(client, run.id);
        expect(attempt).toBe(isMoved ? 2 : 1);
        for (const events of all) {
          expect(feedItems(events)).toEqual({ texts, shape: feedItems(all[0] as AnyEvent[]).shape });
          expect(new Set(events.map(({ cursor }) => cursor)).size).toBe(events.length);
        }
      }),
    );
    expect(lost()).toBeGreaterThan(0);
  } finally {
    for (const app of apps) await app.stop();
  }
}

test('every subscriber receives exactly what is stored, although the bus loses, repeats, delays and reorders messages', async () => {
  const seed = testSeed();
  for (let round = 0; round < 2; round += 1) await play(seed + round);
}, 120_000);

test('a subscriber that is behind receives the output of a call before the end of its step, although the bus is silent', async () => {
  await using model = await ModelServer.start();
  model.answers(async (respond, { messages }) => {
    if (messages.at(-1)?.role === 'tool') {
      await respond.text('Done.');
      return respond.end();
    }
    await respond.delta({ tool_calls: [call(0, 'one', '{}')] });
    await respond.end('tool_calls');
  });
  let isSilent = false;
  const wrapBus = (bus: Bus) => new LossyBus(bus, () => (isSilent ? 0 : 0.9));
  const environment = { OPENAI_BASE_URL: model.baseURL };
  await using app = await startTestApp(environment, { timing: { ...fastTiming, feedPollMs: 1000 } }, { wrapBus });
  const { client } = app;
  const run = await client.ask('Go', { tools: tools.slice(0, 1) });
  const isParked = Promise.withResolvers<void>();
  const live = (async () => {
    for await (const { status } of client.follow(run.id)) if (status === 'REQUIRES_ACTION') isParked.resolve();
  })();
  await isParked.promise;
  isSilent = true;
  await serveCalls(client, run.id);
  const late = await Array.fromAsync(client.follow(run.id));
  await live;
  expect(feedItems(late).texts).toEqual((await held(client, run.id)).texts);
});
