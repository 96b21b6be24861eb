import { expect, test } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { MAX_RESPONSE_BYTES: '1400000', MAX_REQUEST_MEMORY_BYTES: '2000000000' } });
const large = `query($id: ID!) { thread(id: $id) { messages { nodes { ${Array.from({ length: 40 }, (_, index) => `a${index}: text`).join(' ')} } } } }`;

/** An end user with a thread of large messages. */
async function reader(userId: string): Promise<{ client: Client; id: string }> {
  const client = await app.client.asUser(userId);
  const { id } = await client.createThread({ messages: Array(4).fill({ text: 'x'.repeat(100_000) }) });
  return { client, id };
}

test('an end user who has read large responses waits for more, while other users and the key go on', async () => {
  const alice = await reader('alice');
  const bob = await reader('bob');
  const refused = await Promise.all(Array.from({ length: 6 }, () => alice.client.send(large, { id: alice.id })));
  for (const { errors } of refused) expect(errors?.[0]?.extensions.code).toBe('RESPONSE_TOO_LARGE');

  const order: string[] = [];
  const ask = async (name: string, client: Client, id: string) => {
    const { data } = await client.send('query($id: ID!) { thread(id: $id) { id } }', { id });
    expect(data).toEqual({ thread: { id } });
    order.push(name);
  };
  await Promise.all([
    ask('alice', alice.client, alice.id),
    ask('bob', bob.client, bob.id),
    ask('key', app.client, alice.id),
  ]);
  expect(order.at(-1)).toBe('alice');
});

test('an end user with more operations at once than may wait gets RATE_LIMITED for the rest', async () => {
  const { client, id } = await reader('carol');
  await Promise.all(Array.from({ length: 8 }, () => client.send(large, { id })));
  const answers = await Promise.all(
    Array.from({ length: 250 }, () => client.send('query($id: ID!) { thread(id: $id) { id } }', { id })),
  );
  const refused = answers.filter(({ errors }) => errors);
  // 200 wait, less those that have started meanwhile.
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThanOrEqual(50);
  for (const { errors } of refused) expect(errors?.[0]?.extensions.code).toBe('RATE_LIMITED');
});

/** Those that wait are carried out in the end; how many those are depends on how fast they arrive. */
function expectSomeRefused(answers: Answer[]): void {
  const codes = answers.map(({ errors }) => errors?.[0]?.extensions.code ?? 'OK');
  expect(new Set(codes)).toEqual(new Set(['OK', 'RATE_LIMITED']));
}

test('waiting operations with large variables or long documents are refused', async () => {
  const { client, id } = await reader('dave');
  const fill = () => Promise.all(Array.from({ length: 8 }, () => client.send(large, { id })));
  await fill();
  const text = 'x'.repeat(5_000_000);
  const withVariables = Array.from({ length: 8 }, () =>
    client.send('query($id: ID!, $text: ID!) { thread(id: $id) { id } message(id: $text) { id } }', { id, text }),
  );
  const answers = await Promise.all(withVariables);
  expectSomeRefused(answers);
  await fill();
  const longDocument = `query($id: ID!) { thread(id: $id) { id } } # ${'x'.repeat(70_000)}`;
  const documents = await Promise.all(Array.from({ length: 8 }, () => client.send(longDocument, { id })));
  expectSomeRefused(documents);
});

test('an operation that waits is refused, and does nothing, when its credential is revoked', async () => {
  const scopes = ['THREADS_READ', 'THREADS_WRITE'];
  const key = await app.client.createKey({ scopes });
  const client = await key.client.asUser('frank');
  const { id } = await client.createThread({ messages: Array(4).fill({ text: 'x'.repeat(100_000) }) });
  await Promise.all(Array.from({ length: 8 }, () => client.send(large, { id })));
  const waiting = client.send(
    'mutation($id: ID!) { createMessage(input: { threadId: $id, message: { text: "late" } }) { __typename } }',
    { id },
  );
  await app.client.mutate('revokeApiKey', { id: key.id }, 'apiKey { id }');
  expect((await waiting).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  const { data } = await app.client.send('query($id: ID!) { thread(id: $id) { lastMessage { text } } }', { id });
  expect(data.thread.lastMessage.text).not.toBe('late');
});
