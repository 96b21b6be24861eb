import { beforeAll, expect, test } from 'vitest';
import { all } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let threadId: string;
beforeAll(async () => {
  const messages = Array.from({ length: 3 }, (_, index) => ({ text: `第${index}条 🙂` }));
  threadId = (await app.client.createThread({ title: 'A thread', messages })).id;
});

const deferred = `query($id: ID!) { thread(id: $id) { id title ... on Thread @defer(label: "later") { messages(first: 2, orderBy: { direction: ASC }) { nodes { text } } } } }`;
const streamed = `query($id: ID!) { thread(id: $id) { messages(first: 3, orderBy: { direction: ASC }) { nodes @stream(initialCount: 1) { text } } } }`;
const texts = [0, 1, 2].map((index) => ({ text: `第${index}条 🙂` }));

/** The parts of an incremental response. */
async function parts(query: string): Promise<any[]> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...app.client.headers, accept: 'multipart/mixed' },
    body: JSON.stringify({ query, variables: { id: threadId } }),
  });
  expect(response.status).toBe(200);
  const text = await response.text();
  return text.split(/\r\n-{2,3}-?/).flatMap((part) => {
    const body = part.split('\r\n\r\n')[1];
    return body ? [JSON.parse(body)] : [];
  });
}

/** The parts merged into one result, as a client does it. */
function together(all: any[]): any {
  const [{ data }] = all;
  for (const { incremental = [] } of all) {
    for (const { data: more, items, path } of incremental) {
      const place = (items ? path.slice(0, -1) : path).reduce((value: any, key: string) => value[key], data);
      if (items) place.push(...items);
      else Object.assign(place, more);
    }
  }
  return data;
}

test('deferred fields come after the rest over HTTP', async () => {
  const received = await parts(deferred);
  expect(received[0]).toMatchObject({ data: { thread: { id: threadId, title: 'A thread' } }, hasNext: true });
  expect(received[0].data.thread.messages).toBeUndefined();
  expect(received.at(-1).hasNext).toBe(false);
  expect(together(received).thread.messages.nodes).toEqual(texts.slice(0, 2));
});

test('a streamed list comes in parts', async () => {
  const received = await parts(streamed);
  expect(received[0].data.thread.messages.nodes).toEqual(texts.slice(0, 1));
  expect(together(received).thread.messages.nodes).toEqual(texts);
});

test('deferred fields come after the rest over WebSocket', async () => {
  for (const query of [deferred, streamed]) {
    const socket = app.client.socket();
    const received = await all(socket.iterate<any>({ query, variables: { id: threadId } }));
    expect(received.length).toBeGreaterThan(1);
    const { thread } = together(received);
    expect(thread.messages.nodes).toEqual(query === deferred ? texts.slice(0, 2) : texts);
    await socket.dispose();
  }
});

test('a client that accepts only JSON is refused, and one that accepts anything gets the parts', async () => {
  const ask = (accept: string) =>
    fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { ...app.client.headers, accept },
      body: JSON.stringify({ query: deferred, variables: { id: threadId } }),
    });
  const json = await ask('application/json');
  expect(json.status).toBe(406);
  expect((await json.json()).errors[0].extensions.code).toBe('BAD_USER_INPUT');
  const any = await ask('*/*');
  expect(any.headers.get('content-type')).toContain('multipart/mixed');
});

test('a deferred field requires its permission and counts towards the cost', async () => {
  const { client } = await app.client.createKey({ scopes: ['THREADS_READ'] });
  const asked = { query: `{ viewer { kind ... on Viewer @defer { workspace { apiKeys { nodes { id } } } } } }` };
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...client.headers, accept: 'multipart/mixed' },
    body: JSON.stringify(asked),
  });
  expect(await response.text()).toContain('FORBIDDEN');
});
