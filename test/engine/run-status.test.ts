import fc from 'fast-check';
import { beforeAll, expect, test, vi } from 'vitest';
import { systemContext } from '../../src/domain/context.ts';
import { expireRun } from '../../src/domain/run/lease.ts';
import type { Client } from '../support/client.ts';
import { testSeed } from '../support/seed.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });
/** Releases the answers that the model holds back. */
let held: Array<() => void> = [];
beforeAll(async () => {
  model.answers(async (respond, { messages }) => {
    const last = messages.at(-1);
    const asked = last?.role === 'tool' ? 'answer' : String(last?.content);
    if (asked === 'call') {
      const call = { index: 0, id: 'c', type: 'function', function: { name: 'look_up', arguments: '{}' } };
      await respond.delta({ role: 'assistant', tool_calls: [call] });
      return respond.end('tool_calls');
    }
    if (asked === 'fail') return respond.fail(400, 'No.');
    await respond.text('Yes');
    if (asked === 'hold') await Promise.race([new Promise<void>((resolve) => held.push(resolve)), respond.closed]);
    if (!respond.response.destroyed) await respond.end(asked === 'long' ? 'length' : 'stop');
  });
});

/** The allowed transitions, repeated here so that the contract cannot change by accident. */
const follows: Record<string, string[]> = {
  QUEUED: ['IN_PROGRESS', 'CANCELLED'],
  IN_PROGRESS: ['REQUIRES_ACTION', 'CANCELLING', 'COMPLETED', 'INCOMPLETE', 'FAILED'],
  REQUIRES_ACTION: ['QUEUED', 'CANCELLED', 'EXPIRED'],
  CANCELLING: ['CANCELLED'],
};

type Command =
  | { kind: 'start'; text: string; whenBusy: string }
  | { kind: 'cancel' | 'submit' | 'submitWrong' | 'expire'; of: number }
  | { kind: 'release' | 'regenerate' | 'wait' };

const ofRun = fc.record({
  kind: fc.constantFrom('cancel', 'submit', 'submit', 'submitWrong', 'expire'),
  of: fc.nat(20),
}) as fc.Arbitrary<Command>;
const start = fc.record({
  kind: fc.constant('start' as const),
  text: fc.constantFrom('answer', 'call', 'call', 'hold', 'fail', 'long'),
  whenBusy: fc.constantFrom('ENQUEUE', 'ENQUEUE', 'REJECT', 'CANCEL_ACTIVE'),
});
const command = fc.oneof(
  { weight: 4, arbitrary: start },
  { weight: 5, arbitrary: ofRun },
  { weight: 2, arbitrary: fc.constantFrom<Command>({ kind: 'release' }, { kind: 'regenerate' }, { kind: 'wait' }) },
);

const tools = [{ function: { name: 'look_up' } }];

/** One thread and the commands applied to it. */
class Play {
  readonly client: Client;
  readonly threadId: string;
  readonly runs: string[] = [];

  constructor(client: Client, threadId: string) {
    this.client = client;
    this.threadId = threadId;
  }

  async do(command: Command): Promise<void> {
    if (command.kind === 'start') return this.#start(command);
    if (command.kind === 'release') return this.release();
    if (command.kind === 'regenerate') return this.#add(await this.#mutate('regenerate', { threadId: this.threadId }));
    const id = this.runs.length > 0 && 'of' in command ? this.runs[command.of % this.runs.length] : this.runs.at(-1);
    if (!id) return;
    if (command.kind === 'wait')
      await this.client.data(`{ waitForRun(id: "${id}", timeoutSeconds: 0) { __typename } }`);
    if (command.kind === 'cancel') await this.#mutate('cancelRun', { id });
    if (command.kind === 'submit') await this.submit(id);
    if (command.kind === 'submitWrong') {
      const outputs = [{ toolCallId: 'call_01h455vb4pex5vsknk084sn02q', output: 'x' }];
      expect((await this.#mutate('submitToolOutputs', { runId: id, outputs })).run).toBeUndefined();
    }
    if (command.kind === 'expire') await this.#expire(id);
  }

  async submit(runId: string): Promise<void> {
    const query = '{ run(id: "$") { requiredAction { toolCalls { id } } } }'.replace('$', runId);
    const calls: Array<{ id: string }> = (await this.client.data(query)).run.requiredAction?.toolCalls ?? [];
    const outputs = calls.map(({ id }) => ({ toolCallId: id, output: 'found' }));
    await this.#mutate('submitToolOutputs', { runId, outputs });
  }

  release(): void {
    for (const release of held.splice(0)) release();
  }

  async #start({ text, whenBusy }: Extract<Command, { kind: 'start' }>): Promise<void> {
    this.#add(await this.#mutate('createRun', { threadId: this.threadId, messages: [{ text }], tools, whenBusy }));
  }

  #add({ run }: { run?: { id: string } }): void {
    if (run) this.runs.push(run.id);
  }

  /** Lets a parked run expire, as the sweep would. */
  async #expire(id: string): Promise<void> {
    const { services } = app.app;
    const past = { expiresAt: new Date(Date.now() - 1) };
    const where = { id, status: 'REQUIRES_ACTION' as const };
    const [run] = await services.database.run.updateManyAndReturn({ where, data: past });
    if (run) await expireRun(systemContext(services, run.workspaceId), run);
  }

  #mutate(name: string, input: object) {
    return this.client.mutate(name, input, 'run { id }');
  }

  /** Resolves when no run of the thread is active or queued. */
  async drain(): Promise<void> {
    await vi.waitUntil(
      async () => {
        this.release();
        const query = '{ thread(id: "$") { activeRun { id status } } }'.replace('$', this.threadId);
        const { activeRun } = (await this.client.data(query)).thread;
        if (activeRun?.status === 'REQUIRES_ACTION') await this.submit(activeRun.id);
        return activeRun === null;
      },
      { timeout: 20_000, interval: 20 },
    );
  }
}

test('under any sequence of commands, the runs of a thread make only allowed transitions, one at a time and in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 25 }), async (commands) => {
      held = [];
      const { id: threadId } = await app.client.createThread({ messages: [{ text: 'answer' }] });
      const play = new Play(app.client, threadId);
      for (const one of commands) await play.do(one);
      await play.drain();

      const { database } = app.app.services;
      const rows = await database.run.findMany({ where: { threadId }, orderBy: { number: 'asc' } });
      const log = await database.event.findMany({
        where: { threadId, type: 'RUN_STATUS_CHANGED' },
        orderBy: { seq: 'asc' },
      });
      let holder: string | null = null;
      let begun = 0;
      const now = new Map<string, string>();
      for (const { runId, value } of log) {
        const [id, status] = [runId as string, value as string];
        const before = now.get(id);
        expect(before === undefined ? ['QUEUED'] : follows[before], `${before} → ${status}`).toContain(status);
        now.set(id, status);
        if (status === 'IN_PROGRESS') {
          expect(holder === null || holder === id).toBe(true);
          const number = rows.find((row) => row.id === id)?.number ?? 0;
          expect(number).toBeGreaterThanOrEqual(begun);
          begun = number;
          holder = id;
        }
        if (follows[status] === undefined && holder === id) holder = null;
      }
      for (const row of rows) {
        expect(now.get(row.id)).toBe(row.status);
        expect(follows[row.status], `${row.status} is an end`).toBeUndefined();
        expect([row.endedAt === null, row.leasedUntil, row.expiresAt]).toEqual([false, null, null]);
      }
      // No step or message stays open, and no delta remains.
      const where = { runId: { in: rows.map(({ id }) => id) } };
      expect(await database.step.count({ where: { ...where, status: 'IN_PROGRESS' } })).toBe(0);
      expect(await database.message.count({ where: { threadId, status: 'IN_PROGRESS' } })).toBe(0);
      expect(await database.textDelta.count({ where })).toBe(0);
    }),
    { numRuns: 20, endOnFailure: true, seed: testSeed() },
  );
}, 120_000);
