import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Client } from './support/client.ts';
import { testSeed } from './support/seed.ts';
import { useApp } from './support/use-app.ts';

const app = useApp();

/** The actors: in each of two workspaces an API key and two end users. The users of both have the same names. */
const actors = [0, 1].flatMap((workspace) => [null, 'ann', 'ben'].map((user) => ({ workspace, user })));

/** The expected state of a thread. */
interface Known {
  id: string;
  workspace: number;
  owner: string | null;
  texts: string[];
  messages: string[];
  runs: string[];
}

type Action =
  | { kind: 'createThread' }
  | { kind: 'say' | 'rename' | 'remove' | 'fork' | 'run' | 'cancel' | 'edit' | 'look'; of: number };

const action = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Action>({ kind: 'createThread' }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constantFrom('say', 'rename', 'remove', 'fork', 'run', 'cancel', 'edit', 'look'),
      of: fc.nat(50),
    }) as fc.Arbitrary<Action>,
  },
);

const mayTouch = (actor: (typeof actors)[number], thread: Known) =>
  actor.workspace === thread.workspace && (actor.user === null || actor.user === thread.owner);

/** One sequence: the real server next to a model of what each actor may see. */
class Play {
  readonly clients: Client[];
  readonly threads: Known[] = [];
  #texts = 0;

  constructor(clients: Client[]) {
    this.clients = clients;
  }

  async act(by: number, action: Action): Promise<void> {
    const client = this.clients[by] as Client;
    const actor = actors[by] as (typeof actors)[number];
    this.#texts += 1;
    const text = `text ${by} ${this.#texts}`;
    if (action.kind === 'createThread') {
      const selection = 'thread { id messages { nodes { id } } }';
      const { thread } = await client.mutate('createThread', { messages: [{ text }] }, selection);
      const known = {
        id: thread.id,
        owner: actor.user,
        texts: [text],
        messages: [thread.messages.nodes[0].id],
        runs: [],
      };
      this.threads.push({ ...known, workspace: actor.workspace });
      return;
    }
    const thread = this.threads[action.of % Math.max(this.threads.length, 1)];
    if (!thread) return;
    const isAllowed = mayTouch(actor, thread);
    const result = await this.#change(client, action.kind, thread, text);
    if (result === null) return;
    // A thread is NOT_FOUND exactly when the actor may not access it.
    expect([action.kind, result.code === 'NOT_FOUND']).toEqual([action.kind, !isAllowed]);
    if (isAllowed && result.code === undefined) this.#note(action.kind, thread, text, result);
  }

  async #change(client: Client, kind: string, thread: Known, text: string) {
    const [message, run] = [thread.messages[0], thread.runs[0]];
    if (kind === 'look') {
      const { node } = await client.data('query($id: ID!) { node(id: $id) { id } }', { id: thread.id });
      return node ? {} : { code: 'NOT_FOUND' };
    }
    if (kind === 'say') {
      return client.mutate('createMessage', { threadId: thread.id, message: { text } }, 'threadMessage { id }');
    }
    if (kind === 'rename') return client.mutate('updateThread', { id: thread.id, title: text }, 'thread { id }');
    if (kind === 'remove') return client.mutate('deleteThread', { id: thread.id }, 'deletedId');
    if (kind === 'fork')
      return client.mutate('forkThread', { throughMessageId: message }, 'thread { id messages { nodes { id text } } }');
    if (kind === 'run') return client.mutate('createRun', { threadId: thread.id }, 'run { id }');
    if (kind === 'edit') return client.mutate('editMessage', { id: message, text }, 'threadMessage { id }');
    return run === undefined ? null : client.mutate('cancelRun', { id: run }, 'run { id }');
  }

  #note(kind: string, thread: Known, text: string, result: any): void {
    if (kind === 'say') {
      thread.texts.push(text);
      thread.messages.push(result.threadMessage.id);
    }
    if (kind === 'edit') Object.assign(thread, { texts: [text], messages: [result.threadMessage.id], runs: [] });
    if (kind === 'run') thread.runs.push(result.run.id);
    if (kind === 'remove') this.threads.splice(this.threads.indexOf(thread), 1);
    if (kind === 'fork') {
      const nodes = result.thread.messages.nodes as Array<{ id: string; text: string }>;
      this.threads.push({
        ...thread,
        id: result.thread.id,
        messages: nodes.map(({ id }) => id),
        texts: nodes.map(({ text }) => text),
        runs: [],
      });
    }
  }

  /** Expects that each actor sees exactly the expected threads: in lists, counts, searches and by id. */
  async check(): Promise<void> {
    for (const [index, client] of this.clients.entries()) {
      const actor = actors[index] as (typeof actors)[number];
      const mine = this.threads.filter((thread) => mayTouch(actor, thread));
      const { threads, found, nodes } = await client.data(
        `query($ids: [ID!]!) {
          threads(first: 100) { totalCount nodes { id messages(first: 100) { nodes { text } } } }
          found: threads(first: 100, filter: { search: "text" }) { totalCount }
          nodes(ids: $ids) { id }
        }`,
        { ids: this.threads.map(({ id }) => id) },
      );
      expect(new Set(threads.nodes.map(({ id }: Known) => id))).toEqual(new Set(mine.map(({ id }) => id)));
      expect([threads.totalCount, found.totalCount]).toEqual([mine.length, mine.length]);
      expect(nodes.filter((node: unknown) => node !== null).length).toBe(mine.length);
      const seen = threads.nodes.flatMap(({ messages }: any) => messages.nodes.map(({ text }: any) => text));
      const own = new Set(mine.flatMap(({ texts }) => texts));
      const foreign = this.threads.filter((thread) => !mine.includes(thread)).flatMap(({ texts }) => texts);
      for (const text of foreign) if (!own.has(text)) expect(seen).not.toContain(text);
    }
  }
}

async function newPlay(): Promise<Play> {
  const workspaces = await Promise.all(
    [0, 1].map(async (index) => {
      const name = `Play ${index}`;
      return app.in((await app.client.mutate('createWorkspace', { name }, 'workspace { id }')).workspace.id);
    }),
  );
  const clients = actors.map(({ workspace, user }) => {
    const own = workspaces[workspace] as Client;
    return user === null ? own : own.as(user);
  });
  return new Play(await Promise.all(clients));
}

test('under any sequence of actions by two workspaces and four users, each sees exactly their own data', async () => {
  const step = fc.tuple(fc.nat(actors.length - 1), action);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const play = await newPlay();
      for (const [by, what] of steps) await play.act(by, what);
      await play.check();
    }),
    { numRuns: 15, endOnFailure: true, seed: testSeed() },
  );
}, 60_000);
