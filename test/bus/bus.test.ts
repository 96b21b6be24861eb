import pg from 'pg';
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { MemoryBus } from '../../src/bus/memory.ts';
import { PostgresBus } from '../../src/bus/postgres.ts';
import { createLog } from '../../src/log.ts';
import { copyTemplate } from '../support/databases.ts';

const postgres = inject('postgres');
const log = createLog('silent');
let url = '';
const opened: Bus[] = [];
afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});

/** Two ends that should hear each other: of one process, or of two. */
const drivers: Record<string, { isHere: boolean; open: () => Promise<[Bus, Bus]> }> = {
  memory: {
    isHere: true,
    open: async () => {
      const bus = new MemoryBus();
      opened.push(bus);
      return [bus, bus];
    },
  },
  PostgreSQL: {
    isHere: postgres !== null,
    open: async () => {
      url ||= await copyTemplate(postgres as NonNullable<typeof postgres>);
      const buses = [await PostgresBus.open(url, log), await PostgresBus.open(url, log)] as const;
      opened.push(...buses);
      return [...buses];
    },
  },
};

const piece = (offset: number, text: string, ownerId = 'msg_1'): BusMessage => ({
  kind: 'piece',
  ownerId,
  channel: 'TEXT',
  offset,
  text,
});

/** All that is heard on a topic, and the text that its pieces come to. */
function listen(bus: Bus, topic: string) {
  const heard: BusMessage[] = [];
  const unsubscribe = bus.subscribe(topic, (message) => heard.push(message));
  const text = () => heard.map((message) => (message.kind === 'piece' ? message.text : '')).join('');
  return { heard, text, unsubscribe };
}

describe.each(Object.entries(drivers))('the bus: %s', (_name, { isHere, open }) => {
  test.runIf(isHere)('carries what is said on a topic to whoever listens to it, here and there, once', async () => {
    const [one, other] = await open();
    const [here, there, elsewhere] = [listen(one, 'a'), listen(other, 'a'), listen(other, 'b')];
    one.publish('a', { kind: 'cancel', runId: 'run_1' });
    one.publish('a', piece(0, '你好 🙂'));
    await vi.waitUntil(() => there.heard.length === 2, 10_000);
    for (const { heard } of [here, there]) {
      expect(heard).toEqual([{ kind: 'cancel', runId: 'run_1' }, piece(0, '你好 🙂')]);
    }
    expect(elsewhere.heard).toEqual([]);
  });

  test.runIf(isHere)('carries texts of any length whole and in order, and ten thousand messages at once', async () => {
    const [one, other] = await open();
    const there = listen(other, 'a');
    const long = `${'🙂'.repeat(9000)}${'\u0001'.repeat(5000)}x`;
    one.publish('a', piece(0, long));
    await vi.waitUntil(() => there.text() === long, 10_000);
    expect(there.heard.every((message) => message.kind !== 'piece' || message.text.isWellFormed())).toBe(true);
    there.heard.length = 0;
    for (let offset = 0; offset < 5000; offset += 1) one.publish('a', piece(offset, String(offset % 10), 'msg_2'));
    await vi.waitUntil(() => there.text().length === 5000, 10_000);
    for (let seq = 1; seq <= 5000; seq += 1) one.publish('a', { kind: 'events', seq });
    await vi.waitUntil(() => there.heard.some((message) => message.kind === 'events' && message.seq === 5000), 10_000);
  });

  test.runIf(isHere)('says nothing any more to whoever has stopped listening', async () => {
    const [one, other] = await open();
    const [first, second] = [listen(other, 'a'), listen(other, 'a')];
    first.unsubscribe();
    first.unsubscribe();
    one.publish('a', { kind: 'events', seq: 1 });
    await vi.waitUntil(() => second.heard.length === 1, 10_000);
    expect(first.heard).toEqual([]);
  });
});

describe.runIf(postgres)('a bus whose connection is cut', () => {
  const cut = async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const sql =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assistant-graph bus' AND datname = current_database()";
    await client.query(sql);
    await client.end();
  };

  test('tells its listeners that they may have missed something, and goes on', async () => {
    const [one, other] = await (drivers.PostgreSQL as (typeof drivers)[string]).open();
    const [here, there] = [listen(one, 'a'), listen(other, 'a')];
    await cut();
    await vi.waitUntil(() => here.heard.length > 0 && there.heard.length > 0, 10_000);
    expect([...here.heard, ...there.heard].every(({ kind }) => kind === 'gap')).toBe(true);
    await vi.waitUntil(() => {
      one.publish('a', { kind: 'cancel', runId: 'run_2' });
      return there.heard.some(({ kind }) => kind === 'cancel');
    }, 10_000);
  });

  test('hears what is not for it without harm, and whoever listens looks for themselves', async () => {
    const [one, other] = await (drivers.PostgreSQL as (typeof drivers)[string]).open();
    const there = listen(other, 'a');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const nonsense = [
      '',
      'x',
      '{}',
      '["me",[["a",{"kind":"piece"}]]]',
      '["me",[["a",{"kind":"new"}]]]',
      'null',
      '[1,2,3]',
    ];
    for (const payload of nonsense) await client.query('SELECT pg_notify($1, $2)', ['assistant_graph', payload]);
    await client.end();
    one.publish('a', { kind: 'cancel', runId: 'run_3' });
    await vi.waitUntil(() => there.heard.at(-1)?.kind === 'cancel', 10_000);
    expect(there.heard.slice(0, -1)).toEqual(nonsense.map(() => ({ kind: 'gap' })));
  });

  test('tells others of the gap in what it had to say meanwhile', async () => {
    const [one, other] = await (drivers.PostgreSQL as (typeof drivers)[string]).open();
    const there = listen(other, 'a');
    await cut();
    for (let said = 0; said < 20_000; said += 1) one.publish('a', piece(said * 2, 'x', `msg_${said}`));
    await vi.waitUntil(() => there.heard.some(({ kind }) => kind === 'gap'), 10_000);
  });
});
