import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { ServerProcess } from '../support/process.ts';
import { openSocket } from '../support/raw-socket.ts';
import { fastTiming } from '../support/timing.ts';
import { type StalledClient, stall, stallPipelined, transports } from '../support/transports.ts';
import { useApp } from '../support/use-app.ts';

const liveness = { silentMs: 1000, idleMs: 600_000 };
const timing = { ...fastTiming, socket: { ...fastTiming.socket, livenessMs: 100 } };
/** Room for one answer of the maximum size. */
const environment = { MAX_RESPONSE_MEMORY_BYTES: '16000000' };
const app = useApp({ environment, config: { liveness, timing } });

const read = (count: number) => {
  const texts = Array.from({ length: count }, (_, index) => `a${index}: text`).join(' ');
  return `query($id: ID!) { thread(id: $id) { messages(first: 100) { nodes { ${texts} } } } }`;
};

/** A thread with messages of 250,000 characters. */
async function threadOf(client: Client, messages: number): Promise<string> {
  const { id } = await client.createThread();
  const message = { text: 'x'.repeat(250_000) };
  for (let count = 0; count < messages; count += 1)
    await client.mutate('createMessage', { threadId: id, message }, 'threadMessage { id }');
  return id;
}

let id: string;
beforeAll(async () => {
  id = await threadOf(app.client, 4);
});

const codesOf = async (client: Client) =>
  (await client.send(read(2), { id })).errors?.map(({ extensions }) => extensions.code);

test.each(transports)(
  'a client that does not read is given up, and its memory is free again: %s',
  async (transport) => {
    // 15 MB: more than the buffers of the system hold.
    const slow = await stall(transport, app.client, read(15), { id });
    await expect.poll(() => codesOf(app.client), { timeout: 10_000 }).toEqual(['RATE_LIMITED']);
    await expect.poll(() => codesOf(app.client), { timeout: 20_000, interval: 200 }).toBeUndefined();
    expect(await slow.drain()).toBeLessThan(15_000_000);
  },
);

test('an answer that waits behind another one on the same connection holds no memory after its end', async () => {
  const slow = await stallPipelined(app.client, read(15), { id });
  await expect.poll(() => codesOf(app.client), { timeout: 10_000 }).toEqual(['RATE_LIMITED']);
  slow.destroy();
  await expect.poll(() => codesOf(app.client), { timeout: 10_000 }).toBeUndefined();
});

test('a client that reads slowly receives the whole answer', async () => {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: app.client.headers,
    body: JSON.stringify({ query: read(15), variables: { id } }),
  });
  let length = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    // Other work between two reads.
    await app.client.data('{ viewer { kind } }');
  }
  expect(length).toBeGreaterThan(15_000_000);
});

test('clients that do not read cost a bounded amount of memory, and their connections are closed', async () => {
  const socket = { ...fastTiming.socket, livenessMs: 500 };
  const settings = { SOCKET_SILENT_SECONDS: '10', TEST_TIMING: JSON.stringify({ socket }) };
  await using server = await ServerProcess.prepare(settings);
  await server.start();
  const { client } = server;
  const thread = await threadOf(client, 20);
  // All code is loaded and all tables are read.
  await client.send(read(3), { id: thread });
  const before = residentBytes(server.pid);
  let highest = before;
  const timer = setInterval(() => {
    highest = Math.max(highest, residentBytes(server.pid));
  }, 50);
  const slow: StalledClient[] = [];
  for (let count = 0; count < 10; count += 1) slow.push(await stall('JSON', client, read(3), { id: thread }));
  const other = (await client.createKey({ scopes: ['THREADS_READ'] })).client;
  const greedy = await openSocket(other);
  greedy.socket.pause();
  for (let index = 0; index < 60; index += 1) greedy.send(String(index), read(3), { id: thread });
  const isRefused = async () => (await other.send(read(3), { id: thread })).errors !== undefined;
  await expect.poll(isRefused, { timeout: 20_000 }).toBe(true);
  await expect.poll(isRefused, { timeout: 30_000, interval: 1000 }).toBe(false);
  clearInterval(timer);
  greedy.socket.resume();
  await greedy.closed;
  for (const one of slow) expect(await one.drain()).toBeLessThan(15_000_000);
  expect(highest - before).toBeLessThan(350_000_000);
});

const residentBytes = (pid: number) => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
