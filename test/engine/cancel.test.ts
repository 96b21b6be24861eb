import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type AnyEvent, type Client, joined, shape } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { type Answer, ModelServer } from '../support/model-server.ts';

const postgres = inject('postgres');
let model: ModelServer;
let app: TestApp;
/** A second server on the same database, without a worker; only on PostgreSQL. */
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

/** A followed run, its events and the state of its model request. */
interface Watched {
  run: { id: string; thread: { id: string } };
  events: AnyEvent[];
  over: Promise<void>;
  asked: () => number;
  closed: () => boolean;
}

interface Instant {
  /** The model's output before it stalls; absent: no request is made. */
  answer?: Answer;
  /** Whether the run has reached this moment. */
  reached: (watched: Watched) => boolean;
  /** What the run keeps: its texts, and its steps with their status. */
  leaves: { texts?: string[]; steps: string[] };
  /** No model request is open at that moment. */
  isIdle?: boolean;
}

const received = (name: string) => (watched: Watched) => shape(watched.events).includes(name);

const instants: Record<string, Instant> = {
  'before the model begins to answer': {
    answer: () => {},
    reached: ({ asked }) => asked() === 1,
    leaves: { steps: [] },
  },
  'in the middle of its thoughts': {
    answer: (respond) => respond.delta({ role: 'assistant', reasoning_content: 'Let me' }),
    reached: received('ReasoningDelta'),
    leaves: { steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'in the middle of a word': {
    answer: (respond) => respond.text('Half a wo'),
    reached: received('MessageDelta'),
    leaves: { texts: ['Half a wo'], steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'after the last word': {
    answer: async (respond) => {
      await respond.text('All of it.');
      await respond.delta({}, 'stop');
    },
    reached: received('MessageDelta'),
    leaves: { texts: ['All of it.'], steps: ['MESSAGE_CREATION CANCELLED'] },
  },
  'in the middle of the arguments of a call': {
    answer: async (respond) => {
      await respond.delta(callOf('{"ci', 'weather'));
    },
    reached: received('StepDelta'),
    leaves: { steps: ['TOOL_CALLS CANCELLED'] },
  },
  'while it waits for its client': {
    answer: async (respond) => {
      await respond.delta(callOf('{}', 'weather'));
      await respond.end('tool_calls');
    },
    reached: received('REQUIRES_ACTION'),
    leaves: { steps: ['TOOL_CALLS CANCELLED'] },
    isIdle: true,
  },
  'while it waits to ask an overloaded model again': {
    answer: (respond) => respond.fail(429, 'Slow down', { 'retry-after': '30' }),
    reached: ({ closed }) => closed(),
    leaves: { steps: [] },
    isIdle: true,
  },
};

async function watch(client: Client, { answer }: Instant, input: object): Promise<Watched> {
  let isClosed = false;
  model.answers(async (respond, request) => {
    void respond.closed.then(() => {
      isClosed = true;
    });
    await answer?.(respond, request);
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
    texts.map((text) => ({ text, status: 'INCOMPLETE', incompleteReason: 'RUN_CANCELLED' })),
  );
  expect(joined(events)).toBe(texts.join(''));
  expect(left.steps.nodes.map(({ type, status }: AnyEvent) => `${type} ${status}`)).toEqual(leaves.steps);
  for (const step of left.steps.nodes) {
    expect(step.endedAt).not.toBeNull();
    expect(step.toolCalls.every(({ status }: AnyEvent) => status === 'CANCELLED')).toBe(true);
  }
}

/** The process that receives the cancellation. */
const where = ['the process that executes it', ...(postgres ? ['another process'] : [])];
const clientAt = (place: string) => (place === 'another process' ? (other as TestApp).client : app.client);

describe.each(where)('a run cancelled by %s', (place) => {
  test.each(Object.keys(instants))('%s closes the connection to the model and keeps its output', async (name) => {
    const instant = instants[name] as Instant;
    const client = clientAt(place);
    const watched = await watch(client, instant, { thread: { messages: [{ text: 'Go' }] }, tools });
    await vi.waitUntil(() => instant.reached(watched), 10_000);
    const cancelled = await client.mutate('cancelRun', { id: watched.run.id }, 'run { status }');
    expect(cancelled.run.status).toBe(instant.isIdle && name.includes('client') ? 'CANCELLED' : 'CANCELLING');
    await vi.waitUntil(() => watched.closed(), 10_000);
    await expectCancelled(client, watched, instant);
    // The thread accepts the next run.
    model.streams('Next.');
    const next = await client.run({ threadId: watched.run.thread.id, messages: [{ text: 'And now?' }] });
    expect(await client.finished(next.id)).toMatchObject({ status: 'COMPLETED' });
  });

  test('while it is queued ends immediately, and the run before it continues', async () => {
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

  test('by several requests at once ends once', async () => {
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

  test('after its end is refused, whatever its final status', async () => {
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

test('a run cancelled right after its creation ends exactly once', async () => {
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
