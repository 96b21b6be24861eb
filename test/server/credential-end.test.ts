import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';

let app: TestApp;
/** Alice's, with a run that waits for a tool as long as these tests go on. */
let threadId: string;
beforeAll(async () => {
  app = await startTestApp();
  const assistant = await app.client.createAssistant({ tools: [{ function: { name: 'look_up' } }] });
  const thread = { owner: 'alice', messages: [{ text: 'please look_up' }] };
  const run = await app.client.run({ thread, assistantId: assistant.id });
  await app.client.finished(run.id);
  threadId = run.thread.id;
});
afterAll(() => app.stop());

const scopes = ['THREADS_READ', 'RUNS_READ', 'RUNS_WRITE'];
const query = () => `subscription { threadEvents(threadId: "${threadId}") { __typename } }`;

/** What a stream, a socket or a wait that is open with a key comes to. */
interface Open {
  /** The code and reason of the last word, and how a socket was closed. */
  ended: Promise<{ code?: string; reason?: string; closed?: number }>;
}

/** Opens something that lasts, and returns when it is open. */
type Transport = (client: Client) => Promise<Open>;

const overSse: Transport = async (client) => {
  const response = await client.stream(query());
  expect(response.status).toBe(200);
  const ended = response.text().then((text) => {
    const [, data = '{}'] = /event: next\ndata: (.*)\n\nevent: complete/.exec(text) ?? [];
    return JSON.parse(data).errors?.[0]?.extensions ?? {};
  });
  return { ended };
};

/** Speaks the protocol by hand: `initial` goes with the first message. */
async function openSocket(client: Client, operation: object) {
  const socket = new WebSocket(`${client.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const heard: Array<{ type: string; id?: string; payload?: any }> = [];
  socket.on('message', (data) => heard.push(JSON.parse(String(data))));
  const payload = { authorization: `Bearer ${client.key}`, workspace: client.workspaceId };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  await once(socket, 'message');
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: operation }));
  const ended = once(socket, 'close').then(([closed, words]) => {
    const error = heard.find(({ type }) => type === 'error');
    return { ...error?.payload[0].extensions, closed, words: String(words) };
  });
  return { socket, heard, ended };
}

/** One stream for the answers of many operations, busy with another one. */
const overOneStream: Transport = async (client) => {
  const send = (method: string, token?: string, body?: object) =>
    fetch(`${client.url}/graphql`, {
      method,
      headers: {
        ...client.headers,
        ...(token ? { 'x-graphql-event-stream-token': token } : {}),
        ...(method === 'GET' ? { accept: 'text/event-stream' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const token = await (await send('PUT')).text();
  const response = await send('GET', token);
  for (const operationId of ['other', 'mine']) {
    expect((await send('POST', token, { query: query(), extensions: { operationId } })).status).toBe(202);
  }
  const ended = response.text().then((text) => {
    const messages = [...text.matchAll(/event: next\ndata: (.*)\n\n/g)].map(([, data = '']) => JSON.parse(data));
    const last = messages.findLast(({ id }) => id === 'mine');
    // Each of them hears it, and is completed.
    expect(text.match(/event: complete/g)).toHaveLength(2);
    return last?.payload.errors?.[0]?.extensions ?? {};
  });
  return { ended };
};

const overWebSocket: Transport = async (client) => {
  const { ended } = await openSocket(client, { query: query() });
  return { ended };
};

const waiting: Transport = async (client) => {
  const { id } = await app.client.run({ threadId, messages: [{ text: 'later' }] });
  const ended = client
    .send('query($id: ID!) { waitForRun(id: $id, timeoutSeconds: 60) { __typename } }', { id })
    .then(({ errors }) => (errors?.[0]?.extensions ?? {}) as object);
  return { ended };
};

const transports = {
  SSE: overSse,
  'one stream for all': overOneStream,
  WebSocket: overWebSocket,
  'a long query': waiting,
};

/** How a credential ends: makes one, and returns what ends it. */
const ends: Record<string, () => Promise<{ client: Client; end: () => Promise<unknown>; reason: string }>> = {
  'a revoked key': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    return { client, reason: 'REVOKED', end: () => app.client.mutate('revokeApiKey', { id }, 'apiKey { id }') };
  },
  'a rotated key past its grace': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    return {
      client,
      reason: 'ROTATED',
      end: () => app.client.mutate('rotateApiKey', { id, graceSeconds: 1 }, 'secret'),
    };
  },
  'an expired key': async () => {
    const { client } = await app.client.createKey({ scopes, expiresAt: new Date(Date.now() + 1500) });
    return { client, reason: 'EXPIRED', end: async () => {} };
  },
  'a key that may do less': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    const less = { id, scopes: ['RUNS_WRITE'] };
    return { client, reason: 'RIGHTS_CHANGED', end: () => app.client.mutate('updateApiKey', less, 'apiKey { id }') };
  },
  'an expired token': async () => {
    const client = await app.client.as('alice', { ttlSeconds: 2 });
    return { client, reason: 'EXPIRED', end: async () => {} };
  },
  'a token of a revoked key': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    const user = await client.as('alice');
    return { client: user, reason: 'REVOKED', end: () => app.client.mutate('revokeApiKey', { id }, 'apiKey { id }') };
  },
};

describe.concurrent.each(Object.keys(ends))('%s', (name) => {
  test.each(Object.keys(transports))('closes its own over %s within 5 s, with the reason', async (transport) => {
    const open = transports[transport as keyof typeof transports];
    const { client, end, reason } = await (ends[name] as (typeof ends)[string])();
    const other = await app.client.createKey({ scopes });
    const [mine, theirs] = [await open(client), await open(other.client)];
    const asked = Date.now();
    await end();
    expect(await mine.ended).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason,
      ...(transport === 'WebSocket' ? { closed: 4403 } : {}),
    });
    // Two seconds of them belong to the credential itself, where it had to live so long.
    expect(Date.now() - asked).toBeLessThan(7000);
    expect(await Promise.race([theirs.ended, setTimeout(50, 'open')])).toBe('open');
    await app.client.mutate('revokeApiKey', { id: other.id }, 'apiKey { id }');
    await theirs.ended;
  });
});

test('a workspace that is deleted closes what is open in it', async () => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Short-lived' }, 'workspace { id }');
  const { client } = await app.in(workspace.id).createKey({ scopes: [...scopes, 'THREADS_WRITE'] });
  const thread = await client.createThread();
  const stream = await client.stream(`subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  const text = stream.text();
  await app.client.mutate('deleteWorkspace', { id: workspace.id }, 'deletedId');
  expect(await text).toMatch(/"reason":"WORKSPACE_GONE"/);
});

describe.concurrent('a live socket', () => {
  const renewal = (client: Client) => ({
    query: '{ viewer { userId } }',
    extensions: { headers: { authorization: `Bearer ${client.key}` } },
  });

  test('goes on with a new token past the end of the old one', async ({ expect }) => {
    const { socket, heard, ended } = await openSocket(await app.client.as('alice', { ttlSeconds: 2 }), {
      query: query(),
    });
    const fresh = await app.client.as('alice');
    socket.send(JSON.stringify({ id: '2', type: 'subscribe', payload: renewal(fresh) }));
    expect(await Promise.race([ended, setTimeout(4500, 'open')])).toBe('open');
    expect(heard).toContainEqual({ id: '2', type: 'next', payload: { data: { viewer: { userId: 'alice' } } } });
    await app.client.mutate('createMessage', { threadId, message: { text: 'still there?' } }, 'message { id }');
    await expect.poll(() => JSON.stringify(heard)).toContain('MessageAdded');
    socket.close();
  });

  test('ends when its key may no longer enter a workspace', async ({ expect }) => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Withdrawn' }, 'workspace { id }');
    const { id, client } = await app.client.createKey({
      scopes: [...scopes, 'WORKSPACE_ADMIN'],
      workspaceIds: [workspace.id],
    });
    const { ended } = await openSocket(client, { query: query() });
    await app.client.mutate('updateApiKey', { id, workspaceIds: [] }, 'apiKey { id }');
    expect(await ended).toMatchObject({ reason: 'RIGHTS_CHANGED', closed: 4403 });
  });

  test('does not go on as somebody else, nor with less, and keeps what it has', async ({ expect }) => {
    const { socket, heard, ended } = await openSocket(await app.client.as('alice'), { query: query() });
    const others = [
      await app.client.as('bob'),
      await app.client.as('alice', { scopes: ['THREADS_READ'] }),
      new Client(app.url, app.client.key),
    ];
    for (const [index, other] of others.entries()) {
      socket.send(JSON.stringify({ id: `r${index}`, type: 'subscribe', payload: renewal(other) }));
      await expect
        .poll(() => heard.find(({ id }) => id === `r${index}`)?.payload[0]?.extensions)
        .toMatchObject({
          code: 'UNAUTHENTICATED',
          reason: 'RIGHTS_CHANGED',
        });
    }
    expect(await Promise.race([ended, setTimeout(300, 'open')])).toBe('open');
    socket.close();
  });
});

test('who stops waiting for a long answer is no error', async () => {
  await using fresh = await startTestApp();
  const { client } = fresh;
  const { feeds, log } = fresh.app.services;
  const assistant = await client.createAssistant({ tools: [{ function: { name: 'look_up' } }] });
  const first = await client.ask('please look_up', { assistantId: assistant.id });
  await client.finished(first.id);
  // Its turn does not come while the first one waits for a tool.
  const { id } = await client.run({ threadId: first.thread.id, messages: [{ text: 'later' }] });
  const errors = vi.spyOn(log, 'error');
  const stop = new AbortController();
  const gone = fetch(`${fresh.url}/graphql`, {
    method: 'POST',
    headers: client.headers,
    body: JSON.stringify({ query: `{ waitForRun(id: "${id}", timeoutSeconds: 60) { __typename } }` }),
    signal: stop.signal,
  });
  await vi.waitUntil(() => feeds.count > 0, 10_000);
  stop.abort();
  await expect(gone).rejects.toThrow();
  await vi.waitUntil(() => feeds.count === 0, 10_000);
  await client.data('{ viewer { kind } }');
  expect(errors).not.toHaveBeenCalled();
});

test('a credential in the address opens nothing', async () => {
  const key = encodeURIComponent(`Bearer ${app.client.key}`);
  const inAddress = `authorization=${key}&access_token=${app.client.key}&token=${app.client.key}`;
  const response = await fetch(`${app.url}/graphql?${inAddress}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ viewer { kind } }' }),
  });
  expect((await response.json()).errors[0].extensions.code).toBe('UNAUTHENTICATED');
});

const postgres = inject('postgres');
test.skipIf(!postgres)('a key that another process revokes closes its own here, too (needs PostgreSQL)', async () => {
  const shared = {
    DATABASE_URL: await copyTemplate(postgres as NonNullable<typeof postgres>),
    SECRET_KEY: 'the-same-for-both-processes-of-this-test',
    ADMIN_KEY: 'the-admin-key-of-both',
  };
  await using one = await startTestApp(shared);
  await using other = await startTestApp({ ...shared, ROLE: 'api' });
  const { id, secret } = await one.client.createKey({ scopes });
  const thread = await one.client.createThread();
  const there = new Client(other.url, secret);
  const text = (await there.stream(`subscription { threadEvents(threadId: "${thread.id}") { __typename } }`)).text();
  const asked = Date.now();
  await one.client.mutate('revokeApiKey', { id }, 'apiKey { id }');
  expect(await text).toContain('"reason":"REVOKED"');
  expect(Date.now() - asked).toBeLessThan(5000);
  expect((await there.send('{ viewer { kind } }')).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
