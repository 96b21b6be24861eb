import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type AnyEvent, type Client, joined, shape } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { type Answer, ModelServer } from '../support/model-server.ts';

const postgres = inject('postgres');
let model: ModelServer;
let app: TestApp;
/** Another process of the same server, without a worker; on PostgreSQL only. */
let other: TestApp | null = null;
beforeAll(async () => {
  model = await ModelServer.start();
  const shared = postgres && {
    DATABASE_URL: await copyTemplate(postgres),
    SECRET_KEY: 'the-same-for-both-processes-of-this-test',
    ADMIN_KEY: 'the-admin-key-of-both',
  };
  app = await startTestApp({ OPENAI_BASE_URL: model.baseURL, ...shared });
  other = shared && (await startTestApp({ OPENAI_BASE_URL: model.baseURL, ...shared, ROLE: 'api' }));
});
afterAll(async () => {
  await other?.stop();
  await app.stop();
  await model[Symbol.asyncDispose]();
});

const parameters = { type: 'object', properties: { city: { type: 'string' } } };
const tools = [{ function: { name: 'weather', parameters } }];
const callOf = (text: string, name?: string) => ({
  role: 'assistant',
  tool_calls: [{ index: 0, ...(name ? { id: 'c', type: 'function' } : {}), function: { name, arguments: text } }],
});

/** A run that is followed, and what came of its request to the model. */
interface Watched {
  run: { id: string; thread: { id: string } };
  events: AnyEvent[];
  over: Promise<void>;
  asked: () => number;
  closed: () => boolean;
}

interface Instant {
  /** What the model says before it falls silent; absent: it is not asked. */
  says?: Answer;
  /** Whether the moment has come. */
  reached: (watched: Watched) => boolean;
  /** What is left of the run: its texts, and its steps with their status. */
  leaves: { texts?: string[]; steps: string[] };
  /** Nobody is connected to a model at that moment. */
  isIdle?: boolean;
}

const heard = (name: string) => (watched: Watched) => shape(watched.events).includes(name);

const instants: Record<string, Instant> = {
  'before the model begins to answer': {
    says: () => {},
    reached: ({ asked }) => asked() === 1,
    leaves: { steps: [] },
  },
  'in the middle of its thoughts': {
    says: (respond) => respond.delta({ role: 'assistant', reasoning_content: 'Let me' }),
    reached: heard('ReasoningDelta'),
    leaves: { steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'in the middle of a word': {
    says: (respond) => respond.text('Half a wo'),
    reached: heard('MessageDelta'),
    leaves: { texts: ['Half a wo'], steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'after the last word': {
    says: async (respond) => {
      await respond.text('All of it.');
      await respond.delta({}, 'stop');
    },
    reached: heard('MessageDelta'),
    leaves: { texts: ['All of it.'], steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'in the middle of the arguments of a call': {
    says: async (respond) => {
      await respond.delta(callOf('{"ci', 'weather'));
    },
    reached: heard('StepDelta'),
    leaves: { steps: ['TOOL_CALLS CANCELLED'] },
  },
  'while it waits for its client': {
    says: async (respond) => {
      await respond.delta(callOf('{}', 'weather'));
      await respond.end('tool_calls');
    },
    reached: heard('REQUIRES_ACTION'),
    leaves: { steps: ['TOOL_CALLS CANCELLED'] },
    isIdle: true,
  },
  'while it waits to ask an overloaded model again': {
    says: (respond) => respond.fail(429, 'Slow down', { 'retry-after': '30' }),
    reached: ({ closed }) => closed(),
    leaves: { steps: [] },
    isIdle: true,
  },
};

async function watch(client: Client, { says }: Instant, input: object): Promise<Watched> {
  let isClosed = false;
  model.answers(async (respond, request) => {
    void respond.closed.then(() => {
      isClosed = true;
    });
    await says?.(respond, request);
  });
  const run = await client.run(input);
  const events: AnyEvent[] = [];
  const listen = async () => {
    for await (const event of client.follow(run.id)) events.push(event);
  };
  return { run, events, over: listen(), asked: () => model.requests.length, closed: () => isClosed };
}

const terminal = (events: AnyEvent[]) =>
  shape(events).filter((name) => /^(CANCELLED|COMPLETED|FAILED|EXPIRED)$/.test(name));
const outcome = `status endedAt lastError { code } messages { nodes { text status incompleteReason } }
  steps { nodes { type status endedAt toolCalls { ... on FunctionToolCall { status } } } }`;

async function expectCancelled(client: Client, { run, events, over }: Watched, { leaves }: Instant) {
  await over;
  expect(terminal(events)).toEqual(['CANCELLED']);
  const left = await client.finished(run.id, outcome);
  const texts = leaves.texts ?? [];
  expect(left).toMatchObject({ status: 'CANCELLED', lastError: null, endedAt: expect.any(String) });
  expect(left.messages.nodes).toEqual(
    texts.map((text) => ({ text, status: 'INCOMPLETE', incompleteReason: 'run_cancelled' })),
  );
  expect(joined(events)).toBe(texts.join(''));
  expect(left.steps.nodes.map(({ type, status }: AnyEvent) => `${type} ${status}`)).toEqual(leaves.steps);
  for (const step of left.steps.nodes) {
    expect(step.endedAt).not.toBeNull();
    expect(step.toolCalls.every(({ status }: AnyEvent) => status === 'CANCELLED')).toBe(true);
  }
}

/** Who cancels: the process that executes, or another one. */
const where = ['the process that executes it', ...(postgres ? ['another process'] : [])];
const clientAt = (place: string) => (place === 'another process' ? (other as TestApp).client : app.client);

describe.each(where)('a run that is cancelled at %s', (place) => {
  test.each(Object.keys(instants))('%s lets go of the model, and keeps what there is', async (name) => {
    const instant = instants[name] as Instant;
    const client = clientAt(place);
    const watched = await watch(client, instant, { thread: { messages: [{ text: 'Go' }] }, tools });
    await vi.waitUntil(() => instant.reached(watched), 10_000);
    const cancelled = await client.mutate('cancelRun', { id: watched.run.id }, 'run { status }');
    expect(cancelled.run.status).toBe(instant.isIdle && name.includes('client') ? 'CANCELLED' : 'CANCELLING');
    await vi.waitUntil(() => watched.closed(), 2500);
    await expectCancelled(client, watched, instant);
    // The thread goes on.
    model.says('Next.');
    const next = await client.run({ threadId: watched.run.thread.id, messages: [{ text: 'And now?' }] });
    expect(await client.finished(next.id)).toMatchObject({ status: 'COMPLETED' });
  });

  test('before its turn has come is cancelled at once, and the one before it goes on', async () => {
    const client = clientAt(place);
    const talking = instants['in the middle of a word'] as Instant;
    const first = await watch(client, talking, { thread: { messages: [{ text: 'Go' }] } });
    await vi.waitUntil(() => talking.reached(first), 10_000);
    const second = await client.run({ threadId: first.run.thread.id, messages: [{ text: 'Later' }] });
    const cancelled = await client.mutate('cancelRun', { id: second.id }, 'run { status }');
    expect(cancelled.run.status).toBe('CANCELLED');
    expect(first.closed()).toBe(false);
    await client.mutate('cancelRun', { id: first.run.id }, 'run { status }');
    await expectCancelled(client, first, talking);
  });

  test('many times at once ends once', async () => {
    const client = clientAt(place);
    const talking = instants['in the middle of a word'] as Instant;
    const watched = await watch(client, talking, { thread: { messages: [{ text: 'Go' }] } });
    await vi.waitUntil(() => talking.reached(watched), 10_000);
    const wishes = Array.from({ length: 6 }, () =>
      client.mutate('cancelRun', { id: watched.run.id }, 'run { status }'),
    );
    for (const answer of await Promise.all(wishes)) {
      expect(answer.run?.status ?? answer.code).toMatch(/^(CANCELLING|CANCELLED|CONFLICT)$/);
    }
    await expectCancelled(client, watched, talking);
  });

  test('when it has ended is refused, whatever it ended as', async () => {
    const client = clientAt(place);
    const ended: Array<[string, Answer]> = [
      ['COMPLETED', (respond) => respond.text('Yes.').then(() => respond.end())],
      ['INCOMPLETE', (respond) => respond.text('Ye').then(() => respond.end('length'))],
      ['FAILED', (respond) => respond.fail(400, 'No.')],
    ];
    for (const [status, answer] of ended) {
      model.answers(answer);
      const run = await client.ask('Go');
      expect((await client.finished(run.id)).status).toBe(status);
      const refused = await client.mutate('cancelRun', { id: run.id }, 'run { status }');
      expect(refused).toMatchObject({ code: 'CONFLICT', refusal: expect.stringContaining(status) });
      expect((await client.finished(run.id)).status).toBe(status);
    }
  });
});

test('a run that is cancelled the moment it is made ends cancelled or not at all, never both', async () => {
  model.answers(async (respond) => {
    await respond.text('Quick.');
    await respond.end();
  });
  const runs = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const run = await app.client.ask('Go');
      const cancelled = await app.client.mutate('cancelRun', { id: run.id }, 'run { id }');
      const events: AnyEvent[] = [];
      for await (const event of app.client.follow(run.id)) events.push(event);
      return { cancelled, events };
    }),
  );
  for (const { cancelled, events } of runs) {
    expect(terminal(events)).toEqual([cancelled.run ? 'CANCELLED' : 'COMPLETED']);
  }
});
