import { expect, test } from 'vitest';
import { until } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

test('an assistant keeps its input and uses the default model when none is given', async () => {
  const parameters = { type: 'object', properties: { 城市: { type: 'string' } }, required: ['城市'] };
  const input = {
    name: '向导 🧭',
    description: 'Guides',
    instructions: 'Be brief.',
    tools: [{ function: { name: 'look_up', description: 'Looks up', parameters, strict: true } }],
    temperature: 0.5,
    topP: 0.9,
    maxCompletionTokens: 100,
    responseFormat: { type: 'JSON_OBJECT' },
    metadata: { team: 'a' },
  };
  const selection = `assistant { id name description model instructions temperature topP maxCompletionTokens responseFormat metadata createdAt updatedAt
    tools { __typename ... on FunctionTool { name description parameters strict } } }`;
  const { assistant } = await app.client.mutate('createAssistant', input, selection);
  expect(assistant).toMatchObject({
    ...input,
    model: 'demo',
    responseFormat: { type: 'json_object' },
    tools: [{ __typename: 'FunctionTool', name: 'look_up', description: 'Looks up', parameters, strict: true }],
  });
  expect(assistant.id).toMatch(/^asst_/);
});

test('in an update, an absent field keeps its value and null clears it', async () => {
  const { id } = await app.client.createAssistant({
    name: 'A',
    instructions: 'B',
    temperature: 1,
    model: 'demo',
    responseFormat: { type: 'TEXT' },
    metadata: { a: 'b' },
  });
  const selection = 'assistant { name instructions temperature model responseFormat metadata tools { __typename } }';
  const kept = await app.client.mutate(
    'updateAssistant',
    { id, instructions: null, tools: [{ function: { name: 'f' } }] },
    selection,
  );
  expect(kept.assistant).toEqual({
    name: 'A',
    instructions: null,
    temperature: 1,
    model: 'demo',
    responseFormat: { type: 'text' },
    metadata: { a: 'b' },
    tools: [{ __typename: 'FunctionTool' }],
  });
  const cleared = await app.client.mutate(
    'updateAssistant',
    { id, name: null, temperature: null, model: null, responseFormat: null, metadata: {}, tools: [] },
    selection,
  );
  expect(cleared.assistant).toEqual({
    name: null,
    instructions: null,
    temperature: null,
    model: 'demo',
    responseFormat: null,
    metadata: {},
    tools: [],
  });
});

test('an assistant with threads is deleted only on explicit request', async () => {
  const { id } = await app.client.createAssistant();
  const thread = await app.client.createThread({ assistantId: id });
  const elsewhere = await app.client.ask('hello', { assistantId: id });
  await app.client.finished(elsewhere.id);
  expect(await app.client.mutate('deleteAssistant', { id }, 'deletedId')).toMatchObject({
    __typename: 'ConflictError',
  });
  expect(await app.client.mutate('deleteAssistant', { id, deleteThreads: true }, 'deletedId')).toMatchObject({
    deletedId: id,
  });
  const after = await app.client.data(
    'query($ids: [ID!]!, $run: ID!) { nodes(ids: $ids) { id } run(id: $run) { assistant { id } messages { nodes { assistant { id } text } } } }',
    { ids: [id, thread.id], run: elsewhere.id },
  );
  expect(after.nodes).toEqual([null, null]);
  expect(after.run.assistant).toBeNull();
  expect(after.run.messages.nodes[0].assistant).toBeNull();
});

test('deleting a thread deletes all its contents', async () => {
  const run = await app.client.ask('hello');
  await app.client.finished(run.id);
  const { run: found } = await app.client.data(
    'query($id: ID!) { run(id: $id) { steps { nodes { id } } messages { nodes { id } } } }',
    { id: run.id },
  );
  const ids = [run.id, run.thread.id, found.steps.nodes[0].id, found.messages.nodes[0].id];
  await app.client.mutate('deleteThread', { id: run.thread.id }, 'deletedId');
  const { nodes } = await app.client.data('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
  expect(nodes).toEqual([null, null, null, null]);
  const { database } = app.app.services;
  await expect.poll(() => database.event.count({ where: { threadId: run.thread.id } })).toBe(0);
  await expect.poll(() => database.thread.count({ where: { id: run.thread.id } })).toBe(0);
  expect(await database.step.count({ where: { runId: run.id } })).toBe(0);
});

test("a run's own settings override its assistant's and stay when the assistant changes", async () => {
  const { id: assistantId } = await app.client.createAssistant({
    instructions: 'Be kind.',
    temperature: 0.1,
    tools: [{ function: { name: 'old' } }],
  });
  const run = await app.client.ask('hello', {
    assistantId,
    additionalInstructions: 'Be brief.',
    temperature: 0.9,
    tools: [],
    truncation: { strategy: 'LAST_MESSAGES', lastMessages: 3 },
    toolChoice: { mode: 'NONE' },
    metadata: { k: 'v' },
  });
  await app.client.mutate('updateAssistant', { id: assistantId, instructions: 'Be rude.' }, 'assistant { id }');
  const { run: frozen } = await app.client.data(
    'query($id: ID!) { run(id: $id) { model instructions temperature tools { __typename } truncation { strategy lastMessages } toolChoice parallelToolCalls metadata assistant { id } } }',
    { id: run.id },
  );
  expect(frozen).toEqual({
    model: 'demo',
    instructions: 'Be kind.\n\nBe brief.',
    temperature: 0.9,
    tools: [],
    truncation: { strategy: 'LAST_MESSAGES', lastMessages: 3 },
    toolChoice: 'none',
    parallelToolCalls: true,
    metadata: { k: 'v' },
    assistant: { id: assistantId },
  });
});

test('editing a message removes the later ones and emits events', async () => {
  const thread = await app.client.createThread({ messages: [{ text: 'one' }] });
  const run = await app.client.run({ threadId: thread.id });
  await app.client.finished(run.id);
  const { thread: before } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { eventCursor messages(orderBy: { direction: ASC }) { nodes { id } } } }',
    { id: thread.id },
  );
  const [asked, answered] = before.messages.nodes;
  const edited = await app.client.mutate(
    'editMessage',
    { id: asked.id, text: 'two' },
    'threadMessage { text editedAt position }',
  );
  expect(edited.threadMessage).toMatchObject({ text: 'two', position: 1 });
  expect(edited.threadMessage.editedAt).not.toBeNull();
  const events = await until(
    app.client.followThread(thread.id, before.eventCursor),
    ({ __typename }) => __typename === 'MessageAdded',
  );
  expect(events.map(({ __typename, messageId, message }) => [__typename, messageId, message?.text])).toEqual([
    ['MessageRemoved', answered.id, undefined],
    ['MessageRemoved', asked.id, undefined],
    ['MessageAdded', asked.id, 'two'],
  ]);
});

test('editing a message leaves nothing of its old content', async () => {
  const content = [{ text: 'my secret' }, { imageUrl: 'https://example.com/passport.png' }];
  const thread = await app.client.createThread({ messages: [{ content }] });
  const select = 'id text content { ... on TextContent { text } ... on ImageContent { url } }';
  const query = `query($id: ID!) { thread(id: $id) { messages { nodes { ${select} } } } }`;
  const { thread: before } = await app.client.data(query, { id: thread.id });
  const [{ id }] = before.messages.nodes;
  const { threadMessage: message } = await app.client.mutate(
    'editMessage',
    { id, text: 'nothing' },
    `threadMessage { ${select} }`,
  );
  expect(message).toEqual({ id, text: 'nothing', content: [{ text: 'nothing' }] });
  expect((await app.client.data(query, { id: thread.id })).thread.messages.nodes).toEqual([message]);
});

test('a subscription replayed after an edit does not deliver the old content', async () => {
  const { id: threadId } = await app.client.createThread();
  const { thread } = await app.client.data('query($id: ID!) { thread(id: $id) { eventCursor } }', { id: threadId });
  const start = thread.eventCursor;
  // A live subscriber during the edit.
  const seen: string[] = [];
  const listen = async () => {
    for await (const { __typename, message } of app.client.followThread(threadId, start)) {
      seen.push(`${__typename} ${message?.text}`);
      if (message?.text === 'over') return;
    }
  };
  const listening = listen();
  const asked = { threadId, message: { text: '我的密码 🔑 is 1234' } };
  const { threadMessage: message } = await app.client.mutate('createMessage', asked, 'threadMessage { id }');
  const run = await app.client.run({ threadId });
  const { messages } = await app.client.finished(run.id, 'messages { nodes { id text } }');
  const [answer] = messages.nodes;
  expect(answer.text).toContain('1234');
  await app.client.mutate('editMessage', { id: answer.id, text: 'edited' }, 'threadMessage { id }');
  await app.client.mutate('editMessage', { id: message.id, text: 'edited, too' }, 'threadMessage { id }');
  await expect.poll(() => seen).toContain('MessageAdded edited, too');
  expect(seen).toContain('MessageAdded 我的密码 🔑 is 1234');
  const again = await until(
    app.client.followThread(threadId, start),
    ({ message: row }) => row?.text === 'edited, too',
  );
  expect(JSON.stringify(again)).not.toMatch(/1234|密码/);
  await app.client.mutate('createMessage', { threadId, message: { text: 'over' } }, 'threadMessage { id }');
  await listening;
});

test('regenerate removes the last answer and answers again, with another model on request', async () => {
  const first = await app.client.ask('say something');
  await app.client.finished(first.id);
  const again = await app.client.mutate(
    'regenerate',
    { threadId: first.thread.id, instructions: 'Again.' },
    'run { id } thread { id }',
  );
  expect(await app.client.finished(again.run.id, 'status instructions')).toMatchObject({
    status: 'COMPLETED',
    instructions: 'Again.',
  });
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages(orderBy: { direction: ASC }) { nodes { role text run { id } } } } }',
    { id: first.thread.id },
  );
  expect(thread.messages.nodes).toEqual([
    { role: 'USER', text: 'say something', run: null },
    { role: 'ASSISTANT', text: 'something', run: { id: again.run.id } },
  ]);
  const empty = await app.client.createThread();
  expect(await app.client.mutate('regenerate', { threadId: empty.id }, 'run { id }')).toMatchObject({
    __typename: 'ConflictError',
  });
});

test('a fork copies the messages up to one and then changes independently', async () => {
  const { id } = await app.client.createThread({
    title: 'Trunk',
    messages: ['one', 'two', 'three'].map((text) => ({ text })),
    metadata: { a: 'b' },
  });
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages(orderBy: { direction: ASC }) { nodes { id } } } }',
    { id },
  );
  const { thread: fork } = await app.client.mutate(
    'forkThread',
    { throughMessageId: thread.messages.nodes[1].id },
    'thread { id title metadata forkedFrom { id } messages(orderBy: { direction: ASC }) { nodes { text position } } }',
  );
  expect(fork).toMatchObject({
    title: 'Trunk',
    metadata: { a: 'b' },
    forkedFrom: { id: thread.messages.nodes[1].id },
    messages: {
      nodes: [
        { text: 'one', position: 1 },
        { text: 'two', position: 2 },
      ],
    },
  });
  await app.client.mutate('deleteThread', { id }, 'deletedId');
  const { thread: left } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { forkedFrom { id } messages { totalCount } } }',
    { id: fork.id },
  );
  expect(left).toEqual({ forkedFrom: null, messages: { totalCount: 2 } });
});

test('archiving, titling or tagging a thread changes nothing else', async () => {
  const { id } = await app.client.createThread({ title: 'Old', owner: 'ann' });
  const selection = 'thread { title owner archivedAt metadata }';
  const { thread: archived } = await app.client.mutate(
    'updateThread',
    { id, archived: true, metadata: { a: 'b' } },
    selection,
  );
  expect(archived).toMatchObject({ title: 'Old', owner: 'ann', metadata: { a: 'b' } });
  const { thread: again } = await app.client.mutate('updateThread', { id, archived: true, title: null }, selection);
  expect(again).toEqual({ ...archived, title: null });
  expect((await app.client.mutate('updateThread', { id, archived: false }, selection)).thread.archivedAt).toBeNull();
});

test('a workspace is created, updated and deleted with its contents; the default one stays', async () => {
  const { workspace } = await app.client.mutate(
    'createWorkspace',
    { name: 'Team' },
    'workspace { id name isDefault settings { maxConcurrentRuns } }',
  );
  expect(workspace).toMatchObject({ name: 'Team', isDefault: false });
  const inside = app.in(workspace.id);
  const run = await inside.ask('count to 500');
  const changed = await inside.mutate(
    'updateWorkspace',
    { name: 'Team 2', settings: { threadTtlDays: 3, recordSteps: 'SUMMARY', defaultModel: 'demo' } },
    'workspace { name settings { threadTtlDays recordSteps defaultModel runExpirySeconds } }',
  );
  expect(changed.workspace).toEqual({
    name: 'Team 2',
    settings: { threadTtlDays: 3, recordSteps: 'SUMMARY', defaultModel: 'demo', runExpirySeconds: 600 },
  });
  const { thread } = await inside.data('query($id: ID!) { thread(id: $id) { lastActiveAt expiresAt } }', {
    id: run.thread.id,
  });
  expect(Date.parse(thread.expiresAt) - Date.parse(thread.lastActiveAt)).toBe(3 * 24 * 60 * 60 * 1000);
  expect(await inside.mutate('deleteWorkspace', { id: workspace.id }, 'deletedId')).toMatchObject({
    __typename: 'ConflictError',
  });
  expect(await app.client.mutate('deleteWorkspace', { id: workspace.id }, 'deletedId')).toMatchObject({
    deletedId: workspace.id,
  });
  const { workspaces } = await app.client.data(
    '{ workspaces { totalCount nodes { id isDefault apiKeys { totalCount nodes { name } } } } }',
  );
  expect(workspaces).toMatchObject({
    totalCount: 1,
    nodes: [{ isDefault: true, apiKeys: { totalCount: 1, nodes: [{ name: 'Admin key' }] } }],
  });
  expect(await app.client.mutate('deleteWorkspace', { id: workspaces.nodes[0].id }, 'deletedId')).toMatchObject({
    __typename: 'ConflictError',
  });
});
