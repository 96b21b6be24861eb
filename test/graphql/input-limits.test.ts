import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  assistantLimits,
  fileLimits,
  inputLimits,
  keyLimits,
  messageLimits,
  pluginLimits,
  runLimits,
  threadLimits,
  tokenLimits,
  toolLimits,
  workspaceLimits,
} from '../../src/domain/limits.ts';
import { operationLimits } from '../../src/graphql/limits.ts';
import { newId } from '../../src/id.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { sendFile } from '../support/upload.ts';

let app: TestApp;
let threadId: string;
let keyId: string;
let answerId: string;

beforeAll(async () => {
  app = await startTestApp();
  threadId = (await app.client.createThread()).id;
  const message = { role: 'ASSISTANT', text: 'x' };
  const added = await app.client.mutate('createMessage', { threadId, message }, 'threadMessage { id }');
  answerId = added.threadMessage.id;
  keyId = (await app.client.createKey({ scopes: ['THREADS_READ'] })).id;
});

afterAll(() => app.stop());

const text = (length: number) => 'x'.repeat(length);
const list = <Item>(length: number, item: (index: number) => Item) => Array.from({ length }, (_, index) => item(index));
const message = (content: object) => ({ threadId, message: content });
const tool = (fields: object) => ({ name: 'A', tools: [fields] });
const functionTool = (fields: object) => tool({ function: { name: 'f', ...fields } });
/** A JSON Schema of an exact length. */
const schema = (length: number) => {
  const frame = JSON.stringify({ type: 'object', description: '' });
  return { type: 'object', description: text(length - frame.length) };
};
const format = (fields: object) => ({
  name: 'A',
  responseFormat: { jsonSchema: { name: 'a', ...fields } },
});
const run = (fields: object) => ({ threadId, ...fields });
const plugin = (fields: object) => ({ name: 'P', source: { openapi: { document: '{}' } }, ...fields });
const url = (length: number) => `http://localhost/${text(length - 'http://localhost/'.length)}`;

/** A title, the limit, the mutation, its input with a value of a given size, and the path of the issue. */
type Case = [string, number, string, (size: number) => object, string];

const cases: Case[] = [
  ['model name', inputLimits.model, 'createAssistant', (n) => ({ name: 'A', model: text(n) }), 'model'],
  ['API key name', keyLimits.name, 'createApiKey', (n) => ({ name: text(n), scopes: ['RUNS_READ'] }), 'name'],
  [
    'API key scopes',
    keyLimits.scopes,
    'createApiKey',
    (n) => ({ name: 'K', scopes: list(n, () => 'RUNS_READ') }),
    'scopes',
  ],
  [
    'rotation grace period',
    keyLimits.graceSeconds,
    'rotateApiKey',
    (n) => ({ id: keyId, graceSeconds: n }),
    'graceSeconds',
  ],
  ['end user ID', tokenLimits.userId, 'createSessionToken', (n) => ({ userId: text(n) }), 'userId'],
  [
    'session token lifetime',
    tokenLimits.ttlSeconds,
    'createSessionToken',
    (n) => ({ userId: 'a', ttlSeconds: n }),
    'ttlSeconds',
  ],
  [
    'signing key grace period',
    tokenLimits.ttlSeconds,
    'rotateSigningKey',
    (n) => ({ graceSeconds: n }),
    'graceSeconds',
  ],
  ['workspace name', workspaceLimits.name, 'createWorkspace', (n) => ({ name: text(n) }), 'name'],
  ...(
    [
      ['threadTtlDays', workspaceLimits.threadTtlDays],
      ['maxConcurrentRuns', workspaceLimits.concurrentRuns],
      ['runExpirySeconds', workspaceLimits.runExpirySeconds],
      ['maxRunSeconds', workspaceLimits.runSeconds],
    ] as const
  ).map(
    ([name, limit]): Case => [
      `setting ${name}`,
      limit,
      'updateWorkspace',
      (n) => ({ settings: { [name]: n } }),
      `settings.${name}`,
    ],
  ),
  [
    'assistants of a session token',
    tokenLimits.assistants,
    'createSessionToken',
    (n) => ({ userId: 'u', assistantIds: list(n, () => newId('Assistant')) }),
    'assistantIds',
  ],
  [
    'overrides of a session token',
    tokenLimits.overrides,
    'createSessionToken',
    (n) => ({ userId: 'u', overrides: list(n, () => 'MODEL') }),
    'overrides',
  ],
  [
    'assistants of end users',
    workspaceLimits.userAssistants,
    'updateWorkspace',
    (n) => ({ settings: { endUsers: { assistantIds: list(n, () => newId('Assistant')) } } }),
    'settings.endUsers.assistantIds',
  ],
  [
    'models of end users',
    workspaceLimits.userModels,
    'updateWorkspace',
    (n) => ({ settings: { endUsers: { models: list(n, () => 'demo') } } }),
    'settings.endUsers.models',
  ],
  ['assistant name', assistantLimits.name, 'createAssistant', (n) => ({ name: text(n) }), 'name'],
  [
    'assistant description',
    assistantLimits.description,
    'createAssistant',
    (n) => ({ name: 'A', description: text(n) }),
    'description',
  ],
  [
    'assistant instructions',
    runLimits.instructions,
    'createAssistant',
    (n) => ({ name: 'A', instructions: text(n) }),
    'instructions',
  ],
  ['topK', runLimits.topK, 'createAssistant', (n) => ({ name: 'A', topK: n }), 'topK'],
  [
    'stop sequences',
    runLimits.stops,
    'createAssistant',
    (n) => ({ name: 'A', stop: list(n, (index) => `${index}`) }),
    'stop',
  ],
  ['stop sequence', runLimits.stop, 'createAssistant', (n) => ({ name: 'A', stop: [text(n)] }), 'stop.0'],
  [
    'provider options',
    runLimits.providerOptions,
    'createAssistant',
    (n) => ({ name: 'A', providerOptions: { note: text(n - '{"note":""}'.length) } }),
    'providerOptions',
  ],
  ['topP', runLimits.topP, 'createAssistant', (n) => ({ name: 'A', topP: n }), 'topP'],
  [
    'response format name',
    runLimits.formatName,
    'createAssistant',
    (n) => format({ name: text(n) }),
    'responseFormat.jsonSchema.name',
  ],
  [
    'response format description',
    runLimits.formatDescription,
    'createAssistant',
    (n) => format({ description: text(n) }),
    'responseFormat.jsonSchema.description',
  ],
  [
    'response format schema',
    toolLimits.schema,
    'createAssistant',
    (n) => format({ schema: schema(n) }),
    'responseFormat.jsonSchema.schema',
  ],
  ['thread title', threadLimits.title, 'createThread', (n) => ({ title: text(n) }), 'title'],
  ['thread owner', threadLimits.owner, 'createThread', (n) => ({ owner: text(n) }), 'owner'],
  [
    'files of a thread',
    fileLimits.attached,
    'createThread',
    (n) => ({ fileIds: list(n, () => newId('File')) }),
    'fileIds',
  ],
  [
    'message text parts together',
    messageLimits.text,
    'createMessage',
    (n) => message({ content: [{ text: text(n - 1000) }, { text: text(1000) }] }),
    'message.content',
  ],
  [
    'message client id',
    messageLimits.clientId,
    'createMessage',
    (n) => message({ text: 'x', clientId: text(n) }),
    'message.clientId',
  ],
  [
    'feedback comment',
    messageLimits.feedback,
    'setMessageFeedback',
    (n) => ({ messageId: answerId, rating: 'UP', comment: text(n) }),
    'comment',
  ],
  [
    'message parts',
    messageLimits.parts,
    'createMessage',
    (n) => message({ content: list(n, () => ({ text: 'x' })) }),
    'message.content',
  ],
  [
    'image URL',
    messageLimits.imageUrl,
    'createMessage',
    (n) => message({ content: [{ imageUrl: `data:image/png;base64,${'A'.repeat(n - 22)}` }] }),
    'message.content.0.imageUrl',
  ],
  [
    'files of a message',
    messageLimits.files,
    'createMessage',
    (n) => message({ text: 'x', fileIds: list(n, () => newId('File')) }),
    'message.fileIds',
  ],
  [
    'additional instructions',
    runLimits.instructions,
    'createRun',
    (n) => run({ additionalInstructions: text(n) }),
    'additionalInstructions',
  ],
  ['steps of a run', runLimits.steps, 'createRun', (n) => run({ maxSteps: n }), 'maxSteps'],
  ['idempotency key', runLimits.idempotencyKey, 'createRun', (n) => run({ idempotencyKey: text(n) }), 'idempotencyKey'],
  [
    'user tokens of a run',
    pluginLimits.userTokens,
    'createRun',
    (n) => run({ pluginTokens: list(n, () => ({ pluginId: newId('Plugin'), token: 't' })) }),
    'pluginTokens',
  ],
  [
    'length of a user token',
    pluginLimits.userToken,
    'createRun',
    (n) => run({ pluginTokens: [{ pluginId: newId('Plugin'), token: text(n) }] }),
    'pluginTokens.0.token',
  ],
  [
    'tools of an assistant',
    toolLimits.perRun,
    'createAssistant',
    (n) => ({ name: 'A', tools: list(n, (index) => ({ function: { name: `f${index}` } })) }),
    'tools',
  ],
  [
    'function name',
    toolLimits.functionName,
    'createAssistant',
    (n) => functionTool({ name: text(n) }),
    'tools.0.function.name',
  ],
  [
    'function description',
    toolLimits.functionDescription,
    'createAssistant',
    (n) => functionTool({ description: text(n) }),
    'tools.0.function.description',
  ],
  [
    'function parameters',
    toolLimits.schema,
    'createAssistant',
    (n) => functionTool({ parameters: schema(n) }),
    'tools.0.function.parameters',
  ],
  [
    'seconds of a Python program',
    toolLimits.codeSeconds,
    'createAssistant',
    (n) => tool({ codeInterpreter: { timeoutSeconds: n } }),
    'tools.0.codeInterpreter.timeoutSeconds',
  ],
  [
    'results of a file search',
    toolLimits.searchResults,
    'createAssistant',
    (n) => tool({ fileSearch: { maxResults: n } }),
    'tools.0.fileSearch.maxResults',
  ],
  [
    'results of a web search',
    toolLimits.searchResults,
    'createAssistant',
    (n) => tool({ webSearch: { maxResults: n } }),
    'tools.0.webSearch.maxResults',
  ],
  [
    'selected operations of a plugin',
    pluginLimits.operations,
    'createAssistant',
    (n) => tool({ plugin: { pluginId: newId('Plugin'), operations: list(n, (index) => `o${index}`) } }),
    'tools.0.plugin.operations',
  ],
  [
    'name of a selected operation',
    pluginLimits.operationName,
    'createAssistant',
    (n) => tool({ plugin: { pluginId: newId('Plugin'), operations: [text(n)] } }),
    'tools.0.plugin.operations.0',
  ],
  [
    'tool outputs of one submission',
    toolLimits.outputs,
    'submitToolOutputs',
    (n) => ({ runId: newId('Run'), outputs: list(n, () => ({ toolCallId: newId('ToolCall'), output: 'x' })) }),
    'outputs',
  ],
  [
    'length of a tool output',
    toolLimits.output,
    'submitToolOutputs',
    (n) => ({ runId: newId('Run'), outputs: [{ toolCallId: newId('ToolCall'), output: text(n) }] }),
    'outputs.0.output',
  ],
  ['plugin name', pluginLimits.name, 'registerPlugin', (n) => plugin({ name: text(n) }), 'name'],
  [
    'plugin description',
    pluginLimits.description,
    'registerPlugin',
    (n) => plugin({ description: text(n) }),
    'description',
  ],
  ['plugin URL', pluginLimits.url, 'registerPlugin', (n) => plugin({ serverUrl: url(n) }), 'serverUrl'],
  [
    'OpenAPI document',
    pluginLimits.document,
    'registerPlugin',
    (n) => plugin({ source: { openapi: { document: text(n) } } }),
    'source.openapi.document',
  ],
  [
    'plugin secret',
    pluginLimits.secret,
    'registerPlugin',
    (n) => plugin({ auth: { bearer: { token: text(n) } } }),
    'auth.bearer.token',
  ],
  [
    'name of a secret parameter',
    pluginLimits.parameterName,
    'registerPlugin',
    (n) => plugin({ auth: { apiKey: { in: 'HEADER', name: text(n), value: 'v' } } }),
    'auth.apiKey.name',
  ],
  [
    'prefix of a user token',
    pluginLimits.tokenPrefix,
    'registerPlugin',
    (n) => plugin({ auth: { userToken: { prefix: text(n) } } }),
    'auth.userToken.prefix',
  ],
];

/** The issues of a mutation's result that lie at a path. */
async function issuesAt(mutation: string, input: object, path: string): Promise<string[]> {
  const { issues = [] } = await app.client.mutate(mutation, input, '__typename');
  return issues
    .filter((issue: { path: string[] }) => issue.path.join('.') === path)
    .map((issue: { message: string }) => issue.message);
}

describe('a value at its limit is accepted, and one above it is refused with InvalidInputError', () => {
  test.each(cases)('%s (%i)', async (_title, limit, mutation, input, path) => {
    const withLimit = expect.stringMatching(new RegExp(`\\b${limit}\\b`));
    expect(await issuesAt(mutation, input(limit), path)).not.toContainEqual(withLimit);
    expect(await issuesAt(mutation, input(limit + 1), path)).toContainEqual(withLimit);
  });

  test('least runExpirySeconds', async () => {
    const limit = workspaceLimits.minRunExpirySeconds;
    const issues = (seconds: number) =>
      issuesAt('updateWorkspace', { settings: { runExpirySeconds: seconds } }, 'settings.runExpirySeconds');
    expect(await issues(limit)).toEqual([]);
    expect(await issues(limit - 1)).toEqual([`At least ${limit} seconds.`]);
  });

  test('file name', async () => {
    const issues = (length: number) =>
      issuesAt('uploadFile', { file: new File(['x'], 'a'), name: text(length) }, 'name');
    expect(await issues(fileLimits.name)).toEqual([]);
    expect(await issues(fileLimits.name + 1)).toEqual([`At most ${fileLimits.name} characters.`]);
  });
});

describe('a query argument at its limit is accepted, and one above it is refused with BAD_USER_INPUT', () => {
  const queries: Array<[string, number, (size: number) => [string, object]]> = [
    ['page size', operationLimits.pageSize, (n) => ['query($n: Int) { threads(first: $n) { totalCount } }', { n }]],
    [
      'IDs of one nodes',
      operationLimits.pageSize,
      (n) => ['query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: list(n, () => newId('Run')) }],
    ],
    [
      'search text',
      inputLimits.search,
      (n) => ['query($s: String) { threads(filter: { search: $s }) { totalCount } }', { s: text(n) }],
    ],
    [
      'owner in a filter',
      threadLimits.owner,
      (n) => ['query($s: String) { threads(filter: { owner: $s }) { totalCount } }', { s: text(n) }],
    ],
    [
      'file name in a filter',
      fileLimits.name,
      (n) => ['query($s: String) { files(filter: { search: $s }) { totalCount } }', { s: text(n) }],
    ],
    [
      'seconds of waitForRun',
      runLimits.waitSeconds,
      (n) => [
        'query($id: ID!, $n: Int) { waitForRun(id: $id, timeoutSeconds: $n) { __typename } }',
        { id: newId('Run'), n },
      ],
    ],
  ];
  test.each(queries)('%s (%i)', async (_title, limit, query) => {
    expect((await app.client.send(...query(limit))).errors).toBeUndefined();
    const { data, errors } = await app.client.send(...query(limit + 1));
    expect(errors?.[0]?.extensions.code ?? data.waitForRun.__typename).toMatch(/^(BAD_USER_INPUT|InvalidInputError)$/);
  });
});

test('an emoji counts as two characters', async () => {
  const create = (title: string) => app.client.mutate('createThread', { title }, '__typename');
  const { title } = threadLimits;
  expect((await create('🙂'.repeat(title / 2))).__typename).toBe('CreateThreadPayload');
  expect((await create(`${'🙂'.repeat(title / 2)}x`)).__typename).toBe('InvalidInputError');
});

describe('a workspace with as many rows as it can have refuses one more with QuotaExceededError', () => {
  const fill = async (count: number, owner: string | null) => {
    const { workspaceId, id, blobKey } = await app.app.services.database.file.findFirstOrThrow();
    await app.app.services.database.$executeRaw`
      INSERT INTO "File" ("workspaceId", "id", "blobKey", "name", "mimeType", "sizeBytes", "owner")
      SELECT ${workspaceId}, ${id} || '_' || ${owner}::text || n, ${blobKey}, 'a', 'text/plain', 1, ${owner}
      FROM generate_series(1, ${count}::int) n`;
  };

  test('files of one end user', async () => {
    const user = await app.client.as('filler');
    const { data } = await sendFile(user, Buffer.from('x'), 'a.txt');
    expect(data.uploadFile.__typename).toBe('UploadFilePayload');
    await fill(fileLimits.perUser - 1, 'filler');
    const refused = await sendFile(user, Buffer.from('x'), 'a.txt');
    expect(refused.data.uploadFile.__typename).toBe('QuotaExceededError');
    const other = await sendFile(app.client, Buffer.from('x'), 'a.txt');
    expect(other.data.uploadFile.__typename).toBe('UploadFilePayload');
  });

  test('plugins', async () => {
    const { database } = app.app.services;
    const { workspace } = await app.client.data('{ workspace { id } }');
    const row = { workspaceId: workspace.id, name: 'P', kind: 'OPENAPI', document: '{}' } as const;
    await database.plugin.createMany({
      data: list(pluginLimits.perWorkspace, () => ({ id: newId('Plugin'), ...row })),
    });
    expect(await app.client.mutate('registerPlugin', plugin({}), '__typename')).toMatchObject({
      __typename: 'QuotaExceededError',
    });
  });

  test('assistants', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'W' }, 'workspace { id }');
    const client = app.in(workspace.id);
    await app.app.services.database.$executeRaw`
      INSERT INTO "Assistant" ("workspaceId", "id", "updatedAt")
      SELECT ${workspace.id}, 'asst_' || n, now() FROM generate_series(1, ${assistantLimits.perWorkspace - 1}::int) n`;
    const create = () => client.mutate('createAssistant', { name: 'A' }, '__typename');
    expect(await create()).toMatchObject({ __typename: 'CreateAssistantPayload' });
    expect(await create()).toMatchObject({ __typename: 'QuotaExceededError' });
  });

  test('keys', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'W' }, 'workspace { id }');
    const client = app.in(workspace.id);
    await app.app.services.database.$executeRaw`
      INSERT INTO "ApiKey" ("workspaceId", "id", "name", "prefix", "scopes")
      SELECT ${workspace.id}, 'key_' || ${workspace.id}::text || n, 'K', '', '{RUNS_READ}'
      FROM generate_series(1, ${keyLimits.perWorkspace - 1}::int) n`;
    const create = () => client.mutate('createApiKey', { name: 'K', scopes: ['RUNS_READ'] }, '__typename');
    expect(await create()).toMatchObject({ __typename: 'CreateApiKeyPayload' });
    expect(await create()).toMatchObject({ __typename: 'QuotaExceededError' });
  });

  test('threads of one end user', async () => {
    const user = await app.client.as('collector');
    const { workspace } = await app.client.data('{ workspace { id } }');
    await app.app.services.database.$executeRaw`
      INSERT INTO "Thread" ("workspaceId", "id", "owner")
      SELECT ${workspace.id}, 'thread_' || n, 'collector' FROM generate_series(1, ${threadLimits.perUser - 1}::int) n`;
    expect((await user.mutate('createThread', {}, '__typename')).__typename).toBe('CreateThreadPayload');
    expect((await user.mutate('createThread', {}, '__typename')).__typename).toBe('QuotaExceededError');
    expect((await app.client.mutate('createThread', {}, '__typename')).__typename).toBe('CreateThreadPayload');
  });

  test('messages in a thread', async () => {
    const thread = await app.client.createThread();
    await app.app.services.database.thread.updateMany({
      where: { id: thread.id },
      data: { lastPosition: threadLimits.messages - 1 },
    });
    const add = () => app.client.mutate('createMessage', { threadId: thread.id, message: { text: 'x' } }, '__typename');
    expect((await add()).__typename).toBe('CreateMessagePayload');
    expect((await add()).__typename).toBe('QuotaExceededError');
  });

  test('secrets of a key', async () => {
    const { id } = await app.client.createKey({ scopes: ['THREADS_READ'] });
    const rotate = () => app.client.mutate('rotateApiKey', { id, graceSeconds: 60 }, '__typename');
    for (let count = 1; count < keyLimits.secrets; count += 1) {
      expect((await rotate()).__typename).toBe('RotateApiKeyPayload');
    }
    expect((await rotate()).__typename).toBe('ConflictError');
  });
});
