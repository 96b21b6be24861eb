import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
/** Alice's thread; its run stays parked during these tests. */
let threadId: string;
beforeAll(async () => {
  const assistant = await app.client.createAssistant({ tools: [{ function: { name: 'look_up' } }] });
  const thread = { owner: 'alice', messages: [{ text: 'please look_up' }] };
  const run = await app.client.run({ thread, assistantId: assistant.id });
  await app.client.finished(run.id);
  threadId = run.thread.id;
});

// These tests wait most of the time.
vi.setConfig({ maxConcurrency: 12 });

const scopes = ['THREADS_READ', 'RUNS_READ', 'RUNS_WRITE'];
const query = () => `subscription { threadEvents(threadId: "${threadId}") { __typename } }`;

/** A subscription, socket or long query that is open with a credential. */
interface Open {
  /** The code and reason of the final error, and the close code of a socket. */
  ended: Promise<{ code?: string; reason?: string; closed?: number }>;
}

/** Opens it; resolves when it is open. */
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

/** Opens a socket and starts one operation on it. */
async function openSocket(client: Client, operation: object) {
  const socket = new WebSocket(`${client.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const received: Array<{ type: string; id?: string; payload?: any }> = [];
  socket.on('message', (data) => received.push(JSON.parse(String(data))));
  const payload = { authorization: `Bearer ${client.key}`, workspace: client.workspaceId };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  const ended = once(socket, 'close').then(([closed, words]) => {
    const error = received.find(({ type }) => type === 'error');
    return { ...error?.payload[0].extensions, closed, words: String(words) };
  });
  await Promise.race([once(socket, 'message'), ended]);
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: operation }));
  return { socket, received, ended };
}

/** One SSE stream that carries two operations. */
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
    // Both operations get the reason and are completed.
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
  // The long query was sent first: it is authenticated when a later query has its response.
  await client.send('{ viewer { kind } }');
  return { ended };
};

const transports = {
  SSE: overSse,
  'subscription on a shared SSE stream': overOneStream,
  WebSocket: overWebSocket,
  'long query': waiting,
};

/** A credential, the function that ends it, and the reason that its streams report. */
interface Ending {
  client: Client;
  end: () => Promise<unknown>;
  reason: string;
  /** When it ends without `end`. */
  expiresAt?: Date;
}

/** Opens with a new credential; retries with a longer life if the credential expired before it was open. */
async function openInTime<T extends Open>(
  make: (lifetimeMs: number) => Promise<Ending>,
  open: (client: Client) => Promise<T>,
) {
  for (let lifetimeMs = 2000; ; lifetimeMs *= 2) {
    const startedAt = Date.now();
    try {
      const ending = await make(lifetimeMs);
      const opened = await open(ending.client);
      const isInTime = !ending.expiresAt || Date.now() < ending.expiresAt.getTime() - 200;
      if (isInTime) return { ...ending, opened };
      opened.ended.catch(() => {});
    } catch (error) {
      if (Date.now() < startedAt + lifetimeMs) throw error;
    }
  }
}

/** The ways a credential ends: each creates one and returns the function that ends it. */
const ends: Record<string, (lifetimeMs: number) => Promise<Ending>> = {
  'a revoked key': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    return { client, reason: 'REVOKED', end: () => app.client.mutate('revokeApiKey', { id }, 'apiKey { id }') };
  },
  'a rotated key after its grace period': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    return {
      client,
      reason: 'ROTATED',
      end: () => app.client.mutate('rotateApiKey', { id, graceSeconds: 1 }, 'secret'),
    };
  },
  'an expired key': async (lifetimeMs) => {
    const expiresAt = new Date(Date.now() + lifetimeMs);
    const { client } = await app.client.createKey({ scopes, expiresAt });
    return { client, reason: 'EXPIRED', end: async () => {}, expiresAt };
  },
  'a key that lost a scope': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    const less = { id, scopes: ['RUNS_WRITE'] };
    return { client, reason: 'RIGHTS_CHANGED', end: () => app.client.mutate('updateApiKey', less, 'apiKey { id }') };
  },
  'an expired token': async (lifetimeMs) => {
    const expiresAt = new Date(Date.now() + lifetimeMs);
    const client = await app.client.as('alice', { ttlSeconds: lifetimeMs / 1000 });
    return { client, reason: 'EXPIRED', end: async () => {}, expiresAt };
  },
  'a token of a revoked key': async () => {
    const { id, client } = await app.client.createKey({ scopes });
    const user = await client.as('alice');
    return { client: user, reason: 'REVOKED', end: () => app.client.mutate('revokeApiKey', { id }, 'apiKey { id }') };
  },
};

describe.concurrent.each(Object.keys(ends))('%s', (name) => {
  test.each(Object.keys(transports))('ends its own %s with the reason, and no other', async (transport) => {
    const open = transports[transport as keyof typeof transports];
    const other = await app.client.createKey({ scopes });
    const theirs = await open(other.client);
    const { opened: mine, end, reason } = await openInTime(ends[name] as (typeof ends)[string], open);
    await end();
    expect(await mine.ended).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason,
      ...(transport === 'WebSocket' ? { closed: 4403 } : {}),
    });
    expect(await Promise.race([theirs.ended, setTimeout(50, 'open')])).toBe('open');
    await app.client.mutate('revokeApiKey', { id: other.id }, 'apiKey { id }');
    await theirs.ended;
  });
});

describe.concurrent('a live socket', () => {
  const renewal = (client: Client) => ({
    query: '{ viewer { userId } }',
    extensions: { headers: { authorization: `Bearer ${client.key}` } },
  });

  test('outlives its first token after it sent a new one', async ({ expect }) => {
    const fresh = await app.client.as('alice');
    const openAndRenew = async (client: Client) => {
      const opened = await openSocket(client, { query: query() });
      const { socket, received, ended } = opened;
      socket.send(JSON.stringify({ id: '2', type: 'subscribe', payload: renewal(fresh) }));
      const isAnswered = () => received.some(({ id }) => id === '2');
      await Promise.race([ended, vi.waitUntil(isAnswered, 20_000)]);
      return opened;
    };
    const make = ends['an expired token'] as (typeof ends)[string];
    const { opened, expiresAt } = await openInTime(make, openAndRenew);
    const { socket, received, ended } = opened;
    const payload = expect.objectContaining({ data: { viewer: { userId: 'alice' } } });
    expect(received).toContainEqual({ id: '2', type: 'next', payload });
    // Past the expiry of the first token and two checks of open sockets.
    const pastMs = Number(expiresAt) - Date.now() + 2 * fastTiming.credential.checkMs + 500;
    expect(await Promise.race([ended, setTimeout(pastMs, 'open')])).toBe('open');
    await app.client.mutate('createMessage', { threadId, message: { text: 'still there?' } }, 'threadMessage { id }');
    await expect.poll(() => JSON.stringify(received)).toContain('MessageAdded');
    socket.close();
  });

  test('ends when its key loses access to the workspace', async ({ expect }) => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Withdrawn' }, 'workspace { id }');
    const { id, client } = await app.client.createKey({
      scopes: [...scopes, 'WORKSPACE_ADMIN'],
      workspaceIds: [workspace.id],
    });
    const { ended } = await openSocket(client, { query: query() });
    await app.client.mutate('updateApiKey', { id, workspaceIds: [] }, 'apiKey { id }');
    expect(await ended).toMatchObject({ reason: 'RIGHTS_CHANGED', closed: 4403 });
  });

  test('refuses a token of another actor or with fewer scopes, and stays open', async ({ expect }) => {
    const { socket, received, ended } = await openSocket(await app.client.as('alice'), { query: query() });
    const others = [
      await app.client.as('bob'),
      await app.client.as('alice', { scopes: ['THREADS_READ'] }),
      new Client(app.url, app.client.key),
    ];
    for (const [index, other] of others.entries()) {
      socket.send(JSON.stringify({ id: `r${index}`, type: 'subscribe', payload: renewal(other) }));
      await expect
        .poll(() => received.find(({ id }) => id === `r${index}`)?.payload[0]?.extensions)
        .toMatchObject({
          code: 'UNAUTHENTICATED',
          reason: 'RIGHTS_CHANGED',
        });
    }
    expect(await Promise.race([ended, setTimeout(300, 'open')])).toBe('open');
    socket.close();
  });
});

test('deleting a workspace ends its subscriptions', async () => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Short-lived' }, 'workspace { id }');
  const { client } = await app.in(workspace.id).createKey({ scopes: [...scopes, 'THREADS_WRITE'] });
  const thread = await client.createThread();
  const stream = await client.stream(`subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  const text = stream.text();
  await app.client.mutate('deleteWorkspace', { id: workspace.id }, 'deletedId');
  expect(await text).toMatch(/"reason":"WORKSPACE_GONE"/);
});

test('a client that aborts a long query causes no error log', async () => {
  await using fresh = await startTestApp();
  const { client } = fresh;
  const { feeds, log } = fresh.app.services;
  const assistant = await client.createAssistant({ tools: [{ function: { name: 'look_up' } }] });
  const first = await client.ask('please look_up', { assistantId: assistant.id });
  await client.finished(first.id);
  // It stays queued while the first run is parked.
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

test('a credential in the URL is not accepted', async () => {
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
test.skipIf(!postgres)('a key revoked in another process ends its subscriptions here (needs PostgreSQL)', async () => {
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
  await one.client.mutate('revokeApiKey', { id }, 'apiKey { id }');
  expect(await text).toContain('"reason":"REVOKED"');
  expect((await there.send('{ viewer { kind } }')).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
