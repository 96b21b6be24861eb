import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Client } from '../support/client.ts';
import { ServerProcess } from '../support/process.ts';
import { useApp } from '../support/use-app.ts';

/** An identity provider with one key. */
const keys = await generateKeyPair('ES256', { extractable: true });
const provider = createServer(async (request, response) => {
  const { port } = provider.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const isKeys = request.url === '/keys';
  const jwk = { ...(await exportJWK(keys.publicKey)), alg: 'ES256', kid: '1' };
  response.end(JSON.stringify(isKeys ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
});
const issuer = () => `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
const app = useApp({
  environment: async () => {
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    return { OIDC_ISSUER: issuer(), OIDC_AUDIENCE: 'graph' };
  },
});
afterAll(() => provider.close());

/** A client with a token of the identity provider. */
const outside = async (sub: string) =>
  new Client(
    app.url,
    await new SignJWT({ iss: issuer(), aud: 'graph', sub })
      .setProtectedHeader({ alg: 'ES256', kid: '1' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(keys.privateKey),
  );

const settle = async (endUsers: object, client: Client = app.client) => {
  const selection = 'workspace { settings { endUsers { assistantIds models overrides } } }';
  const result = await client.mutate('updateWorkspace', { settings: { endUsers } }, selection);
  return result.workspace?.settings.endUsers ?? result;
};
const closed = { assistantIds: null, models: null, overrides: [] };

let first: string;
let second: string;
beforeAll(async () => {
  first = (await app.client.createAssistant({ name: 'First', instructions: 'Be kind.' })).id;
  second = (await app.client.createAssistant({ name: 'Second' })).id;
});

/** Starts a run; returns the type of the result, or the message of a refusal. */
const run = async (user: Client, input: object) => {
  const result = await user.mutate('createRun', { thread: {}, ...input }, 'run { id }');
  return result.refusal ?? result.__typename;
};
const names = async (user: Client) =>
  (await user.data('{ assistants(orderBy: { field: NAME, direction: ASC }) { totalCount nodes { name } } }'))
    .assistants;

describe('the settings of end users', () => {
  test('open nothing by default', async () => {
    const { workspace } = await app.client.data(
      '{ workspace { settings { endUsers { assistantIds models overrides } } } }',
    );
    expect(workspace.settings.endUsers).toEqual(closed);
    const user = await app.client.asUser('alice');
    expect((await user.data('{ viewer { overrides models } }')).viewer).toEqual({ overrides: [], models: null });
    expect((await app.client.data('{ viewer { overrides } }')).viewer.overrides).toContain('TOOLS');
  });

  test('apply at once to session tokens and to tokens of an identity provider, without new statements', async () => {
    const users = [await app.client.asUser('alice'), await outside('alice')];
    for (const user of users) expect(await run(user, { assistantId: first, maxSteps: 3 })).toMatch(/add LIMITS/);
    expect(await settle({ overrides: ['LIMITS'] })).toEqual({ ...closed, overrides: ['LIMITS'] });
    for (const user of users) expect(await run(user, { assistantId: first, maxSteps: 3 })).toBe('CreateRunPayload');
    // An absent setting keeps its value.
    expect(await settle({ models: ['demo'] })).toEqual({ ...closed, models: ['demo'], overrides: ['LIMITS'] });
    expect(await settle({ models: null, overrides: [] })).toEqual(closed);
    for (const user of users) expect(await run(user, { assistantId: first, maxSteps: 3 })).toMatch(/add LIMITS/);
    for (const user of users) expect(await app.statements(() => user.data('{ viewer { overrides } }'))).toEqual([]);
  });

  test('limit the assistants that end users see and use', async () => {
    const user = await app.client.asUser('alice');
    const thread = await user.createThread({ assistantId: second, messages: [{ text: 'hello' }] });
    await settle({ assistantIds: [first] });
    expect(await names(user)).toEqual({ totalCount: 1, nodes: [{ name: 'First' }] });
    const query = `query($id: ID!, $thread: ID!) { assistant(id: $id) { name } node(id: $id) { id }
      thread(id: $thread) { assistant { name } } }`;
    expect(await user.data(query, { id: second, thread: thread.id })).toEqual({
      assistant: null,
      node: null,
      thread: { assistant: null },
    });
    for (const input of [{ assistantId: second }, { thread: { assistantId: second } }]) {
      expect(await run(user, input)).toMatch(/You may not use the assistant .* `assistantIds`/);
    }
    for (const input of [{ threadId: thread.id, thread: undefined }])
      expect(await run(user, input)).toMatch(/may not use/);
    const regenerated = await user.mutate('regenerate', { threadId: thread.id }, 'run { id }');
    expect(regenerated.code).toBe('FORBIDDEN');
    const moved = await user.mutate('updateThread', { id: thread.id, assistantId: second }, 'thread { id }');
    expect(moved.code).toBe('FORBIDDEN');
    // An assistant that does not exist gives the same refusal.
    expect(await run(user, { assistantId: 'asst_01h455vb4pex5vsknk084sn02q' })).toMatch(
      /You may not use the assistant/,
    );
    await settle({ assistantIds: [] });
    expect(await names(user)).toEqual({ totalCount: 0, nodes: [] });
    await settle(closed);
    expect((await names(user)).totalCount).toBe(2);
  });

  test('limit the models that end users choose', async () => {
    const user = await app.client.asUser('alice', { overrides: ['MODEL'] });
    await settle({ models: [] });
    expect(await run(user, { assistantId: first, model: 'demo' })).toMatch(/You may not choose the model "demo"/);
    await settle({ models: ['demo'] });
    expect((await user.data('{ viewer { models } }')).viewer.models).toEqual(['demo']);
    expect(await run(user, { assistantId: first, model: 'demo' })).toBe('CreateRunPayload');
    await settle(closed);
  });

  test('refuse what does not exist', async () => {
    expect(await settle({ assistantIds: ['asst_01h455vb4pex5vsknk084sn02q'] })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await settle({ models: ['nobody/nothing'] })).toMatchObject({ code: 'INVALID_INPUT' });
    const { client } = await app.client.createKey({ scopes: ['RUNS_WRITE'] });
    expect(await settle({ overrides: ['TOOLS'] }, client)).toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('a session token', () => {
  test('opens more or less than the settings', async () => {
    await settle({ overrides: ['LIMITS', 'TOOLS'], assistantIds: [first] });
    const less = await app.client.asUser('alice', { overrides: [], assistantIds: [] });
    const more = await app.client.asUser('alice', { overrides: ['MODEL'], assistantIds: [second] });
    const overrides = async (user: Client) => (await user.data('{ viewer { overrides } }')).viewer.overrides;
    expect([await overrides(less), await overrides(more)]).toEqual([[], ['MODEL']]);
    expect([(await names(less)).totalCount, (await names(more)).nodes]).toEqual([0, [{ name: 'Second' }]]);
    expect(await run(more, { assistantId: second, model: 'demo' })).toBe('CreateRunPayload');
    expect(await run(more, { assistantId: first })).toMatch(/may not use the assistant/);
    await settle(closed);
  });

  test('names only assistants of its workspace', async () => {
    const input = { userId: 'alice', assistantIds: ['asst_01h455vb4pex5vsknk084sn02q'] };
    expect(await app.client.mutate('createSessionToken', input, 'token')).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('gives no right beyond the scopes of its key', async () => {
    const { client } = await app.client.createKey({ scopes: ['THREADS_READ', 'THREADS_WRITE'] });
    const user = await client.as('alice');
    const refused = await user.mutate('createRun', { thread: {}, assistantId: first }, 'run { id }');
    expect(refused.code).toBe('FORBIDDEN');
    expect((await user.send('{ plugins { totalCount } }')).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });

  test('without an assistant needs INSTRUCTIONS', async () => {
    const user = await app.client.asUser('alice');
    expect(await run(user, {})).toMatch(/start a run without an assistant.*add INSTRUCTIONS/);
    const { id } = await user.createThread({ assistantId: first });
    expect(await run(user, { thread: undefined, threadId: id })).toBe('CreateRunPayload');
    await user.mutate('updateThread', { id, assistantId: null }, 'thread { id }');
    expect(await run(user, { thread: undefined, threadId: id })).toMatch(/add INSTRUCTIONS/);
    expect(await run(await app.client.asUser('alice', { overrides: ['INSTRUCTIONS'] }), {})).toBe('CreateRunPayload');
  });
});

describe('a SYSTEM message', () => {
  const system = { role: 'SYSTEM', text: 'Obey.' };

  test('is added, edited and deleted only with SYSTEM_MESSAGES', async () => {
    const user = await app.client.asUser('alice');
    const other = await app.client.asUser('alice', { overrides: ['SYSTEM_MESSAGES'] });
    const { thread } = await app.client.mutate(
      'createThread',
      { owner: 'alice', assistantId: first, messages: [system, { text: 'hello' }] },
      'thread { id messages(orderBy: { direction: ASC }) { nodes { id role } } }',
    );
    const [message] = thread.messages.nodes;
    const attempts: Array<[string, object]> = [
      ['createThread', { messages: [system] }],
      ['createMessage', { threadId: thread.id, message: system }],
      ['createRun', { threadId: thread.id, messages: [system] }],
      ['createRun', { thread: { messages: [system] }, assistantId: first }],
      ['editMessage', { id: message.id, text: 'Forget it.' }],
      ['deleteMessage', { id: message.id }],
    ];
    for (const [name, input] of attempts) {
      const result = await user.mutate(name, input, '__typename');
      expect([name, result.refusal]).toEqual([name, expect.stringMatching(/add SYSTEM_MESSAGES/)]);
    }
    for (const [name, input] of attempts) {
      const result = await other.mutate(name, input, '__typename');
      expect([name, result.refusal]).toEqual([name, undefined]);
    }
  });
});

describe('an open stream', () => {
  const follow = async (user: Client) => {
    const { id } = await user.createThread({ assistantId: first });
    const text = (await user.stream(`subscription { threadEvents(threadId: "${id}") { __typename } }`)).text();
    return { text };
  };

  test.each([
    ['an override', { overrides: ['TOOLS'] }, { overrides: [] }],
    ['an assistant', { assistantIds: null }, { assistantIds: [] }],
    ['a model', { models: ['demo'] }, { models: [] }],
  ])('of an end user who loses %s ends with RIGHTS_CHANGED', async (_title, before, after) => {
    await settle(before);
    const { text } = await follow(await app.client.asUser('alice'));
    await settle(after);
    expect(await text).toContain('"reason":"RIGHTS_CHANGED"');
    await settle(closed);
  });
});

test('the files of an assistant are read by those who may use it', async () => {
  const { file } = await app.client.mutate('uploadFile', { file: new File(['x'], 'x.txt') }, 'file { id }');
  const { id } = await app.client.createAssistant({ name: 'Third', fileIds: [file.id] });
  const read = async (assistantIds: string[]) => {
    const user = await app.client.asUser('alice', { assistantIds });
    return (await user.data('query($id: ID!) { file(id: $id) { name } }', { id: file.id })).file;
  };
  expect(await read([first])).toBeNull();
  expect(await read([id])).toEqual({ name: 'x.txt' });
});

test('a key reads the instructions and tools of a run only with ASSISTANTS_READ', async () => {
  const { id } = await app.client.ask('hello', { assistantId: first });
  for (const field of ['instructions', 'tools { __typename }', 'responseFormat']) {
    const query = `query($id: ID!) { run(id: $id) { ${field} } }`;
    const read = async (scopes: string[]) => {
      const { client } = await app.client.createKey({ scopes });
      return (await client.send(query, { id })).errors?.[0]?.extensions;
    };
    expect(await read(['RUNS_READ'])).toMatchObject({ code: 'FORBIDDEN', requiredScope: 'ASSISTANTS_READ' });
    expect(await read(['RUNS_READ', 'ASSISTANTS_READ'])).toBeUndefined();
  }
});

// An embedded database cannot be shared by processes.
describe.runIf(inject('postgres'))('two processes of one server', () => {
  test('apply a change of the settings in both', async () => {
    await using one = await ServerProcess.prepare({ SECRET_KEY: 'the-same-for-both-processes-of-this-test' });
    await using other = one.with({});
    await Promise.all([one.start(), other.start()]);
    const { id: assistantId } = await one.client.createAssistant();
    const { key } = await one.client.asUser('alice');
    const [here, there] = [one, other].map(({ client }) => new Client(client.url, key)) as [Client, Client];
    const choose = (user: Client) => run(user, { assistantId, maxSteps: 3 });
    for (const user of [here, there]) expect(await choose(user)).toMatch(/add LIMITS/);
    await settle({ overrides: ['LIMITS'] }, one.client);
    expect(await choose(here)).toBe('CreateRunPayload');
    await expect.poll(() => choose(there), { timeout: 5000 }).toBe('CreateRunPayload');
    await settle({ overrides: [] }, other.client);
    await expect.poll(() => choose(here), { timeout: 5000 }).toMatch(/add LIMITS/);
  }, 60_000);
});
