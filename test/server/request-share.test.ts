import { expect, test } from 'vitest';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { MAX_RESPONSE_BYTES: '1000000' } });

test('the bodies of one end user that waits leave the memory for requests to others', async () => {
  const client = await app.client.asUser('erin');
  const { id } = await client.createThread({ messages: Array(4).fill({ text: 'x'.repeat(100_000) }) });
  const large = 'query($id: ID!) { thread(id: $id) { messages { nodes { a: text b: text c: text } } } }';
  await Promise.all(Array.from({ length: 8 }, () => client.send(large, { id })));
  const blank = ' '.repeat(7_500_000);
  const post = (headers: Record<string, string>) =>
    fetch(`${app.url}/graphql`, { method: 'POST', headers, body: `{"query":"{ viewer { __typename } }"${blank}}` });
  const mine = Array.from({ length: 6 }, () => post(client.headers));
  const refused = await Promise.race(mine.map(async (sent) => ((await sent).status === 503 ? 'refused' : 'served')));
  expect(refused).toBe('refused');
  const bob = await app.client.asUser('bob');
  expect((await post(bob.headers)).status).toBe(200);
  await Promise.all(mine);
});
