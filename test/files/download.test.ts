import { get } from 'node:http';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Client } from '../support/client.ts';
import { upload } from '../support/upload.ts';
import { useApp } from '../support/use-app.ts';

const content = '0123456789';
const app = useApp();
let url: string;
let id: string;

beforeAll(async () => {
  ({ url, id } = await upload(app.client, content, 'digits.txt', 'text/plain'));
});

const plain = (client: Client, file: string) => {
  const { 'content-type': _type, ...headers } = client.headers;
  return fetch(`${app.url}/files/${file}`, { headers });
};

describe('a range request', () => {
  test.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=0-1,5-6', 200, content, null],
    ['bytes=nonsense', 200, content, null],
    ['lines=0-1', 200, content, null],
  ])('%s', async (range, status, text, contentRange) => {
    const response = await fetch(url, { headers: { range } });
    expect([response.status, await response.text(), response.headers.get('content-range')]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  test('returns the whole file when If-Range names another version', async () => {
    const etag = (await fetch(url)).headers.get('etag') as string;
    const ranged = (tag: string) => fetch(url, { headers: { range: 'bytes=0-0', 'if-range': tag } });
    expect((await ranged(etag)).status).toBe(206);
    expect((await ranged('"other"')).status).toBe(200);
  });
});

test('a conditional request for an unchanged file has no body, and HEAD returns its headers', async () => {
  const head = await fetch(url, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', '']);
  const etag = head.headers.get('etag') as string;
  const status = await new Promise((resolve) => {
    get(url, { headers: { 'if-none-match': etag } }, (response) => resolve(response.resume().statusCode));
  });
  expect(status).toBe(304);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
});

test('no content of a file can run in a browser', async () => {
  const types = await Promise.all(
    [
      ['a.html', 'text/html'],
      ['a.svg', 'image/svg+xml'],
      ['a.js', 'text/javascript'],
      ['a.xhtml', 'application/xhtml+xml'],
      ['a', 'text/html'],
      ['a.png', 'text/html'],
    ].map(async ([name, type]) => {
      const stored = await upload(app.client, '<script>alert(1)</script>', name as string, type);
      const { headers } = await fetch(stored.url);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
      return [name, headers.get('content-type'), headers.get('content-disposition')?.split(';')[0]];
    }),
  );
  const saved = 'application/octet-stream';
  expect(types).toEqual([
    ['a.html', saved, 'attachment'],
    ['a.svg', saved, 'attachment'],
    ['a.js', saved, 'attachment'],
    ['a.xhtml', saved, 'attachment'],
    ['a', saved, 'attachment'],
    ['a.png', 'image/png', 'inline'],
  ]);
});

describe('a file can be read', () => {
  test('through its signed address until that expires', async () => {
    const altered = [
      url.replace(/signature=./, 'signature=x'),
      url.replace(/expires=\d+/, 'expires=99999999999'),
      url.replace(/expires=\d+/, 'expires=1'),
      url.replace(/expires=\d+/, 'expires=NaN'),
      url.replace(id, 'file_01h455vb4pex5vsknk084sn02q'),
      url.replace(/signature=.*/, 'signature='),
    ];
    for (const address of altered) expect((await fetch(address)).status).toBe(403);
    expect((await fetch(url)).status).toBe(200);
  });

  test('with a credential that can see it', async () => {
    const alice = await app.client.as('alice');
    const bob = await app.client.as('bob');
    const workspace = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
    const foreign = app.in(workspace.workspace.id);
    const reader = await app.client.createKey({ scopes: ['ASSISTANTS_READ'] });
    const own = await upload(alice, 'of Alice', 'a.txt');
    expect(own.owner).toBe('alice');
    expect(await (await plain(alice, own.id)).text()).toBe('of Alice');
    expect(await (await plain(app.client, own.id)).text()).toBe('of Alice');
    expect((await plain(bob, own.id)).status).toBe(404);
    expect((await plain(foreign, own.id)).status).toBe(404);
    expect((await plain(reader.client, own.id)).status).toBe(403);
    expect((await fetch(`${app.url}/files/${own.id}`)).status).toBe(401);
    expect((await plain(app.client, '..%2F..%2Fadmin-key')).status).toBe(404);
    const answer = await bob.mutate('deleteFile', { id: own.id }, 'deletedId');
    expect(answer.__typename).toBe('NotFoundError');
  });

  test('by an end user when it is attached to their threads or to their assistants', async () => {
    const alice = await app.client.as('alice');
    const [inMessage, inContent, inThread, inAssistant, elsewhere] = await Promise.all(
      ['message', 'content', 'thread', 'assistant', 'elsewhere'].map((name) => upload(app.client, name, `${name}.png`)),
    );
    const thread = await app.client.createThread({
      owner: 'alice',
      fileIds: [inThread?.id],
      messages: [{ content: [{ text: 'look' }, { imageFileId: inContent?.id }], fileIds: [inMessage?.id] }],
    });
    const assistant = await app.client.createAssistant({ fileIds: [inAssistant?.id] });
    const { files } = await alice.data('{ files { totalCount nodes { name } } }');
    expect(files.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(
      ['a.txt', 'assistant.png', 'content.png', 'message.png', 'thread.png'].sort(),
    );
    expect((await plain(alice, elsewhere?.id as string)).status).toBe(404);
    // End users can see the file, but not delete it.
    const refused = await alice.mutate('deleteFile', { id: inThread?.id }, 'deletedId');
    expect(refused.__typename).toBe('ForbiddenError');
    const shown = await alice.data(
      `query($thread: ID!, $assistant: ID!) { assistant(id: $assistant) { files { name } } thread(id: $thread) { files { name } messages { nodes {
        attachments { name } content { __typename ... on ImageContent { url file { name } } } } } } }`,
      { thread: thread.id, assistant: assistant.id },
    );
    expect(shown).toMatchObject({
      assistant: { files: [{ name: 'assistant.png' }] },
      thread: {
        files: [{ name: 'thread.png' }],
        messages: {
          nodes: [
            {
              attachments: [{ name: 'message.png' }],
              content: [{ __typename: 'TextContent' }, { file: { name: 'content.png' } }],
            },
          ],
        },
      },
    });
    expect(await (await fetch(shown.thread.messages.nodes[0].content[1].url)).text()).toBe('content');
    await app.client.mutate('deleteFile', { id: inContent?.id }, 'deletedId');
    await app.client.mutate('deleteThread', { id: thread.id }, 'deletedId');
    expect((await plain(alice, inThread?.id as string)).status).toBe(404);
  });

  test('a file that is not visible cannot be attached', async () => {
    const alice = await app.client.as('alice');
    const result = await alice.mutate('createThread', { messages: [{ text: 'x', fileIds: [id] }] }, 'thread { id }');
    expect(result).toMatchObject({ __typename: 'NotFoundError' });
    const other = await alice.mutate('createThread', { fileIds: [id] }, 'thread { id }');
    expect(other).toMatchObject({ __typename: 'NotFoundError' });
  });
});

test('a file whose bytes are missing is a server error, reported immediately', async () => {
  // The server reads no text from an image, so the next read is the download.
  const file = await upload(app.client, 'not for long', 'lost.png', 'image/png');
  const lost = new Error('no such file');
  vi.spyOn(app.app.services.files, 'read').mockImplementationOnce(
    () =>
      new Readable({
        read() {
          this.destroy(lost);
        },
      }),
  );
  const response = await fetch(file.url);
  expect(response.status).toBe(500);
  expect(response.headers.get('etag')).toBeNull();
  expect(await (await fetch(file.url)).text()).toBe('not for long');
});

test('an edited message and a forked one keep their files', async () => {
  const file = await upload(app.client, 'kept', 'kept.txt');
  const common = await upload(app.client, 'of the thread', 'common.txt');
  const thread = await app.client.createThread({
    fileIds: [common.id],
    messages: [{ text: 'before', fileIds: [file.id] }],
  });
  const selection = 'id messages { nodes { id text attachments { name } } }';
  const [message] = (await app.client.data(`query($id: ID!) { thread(id: $id) { ${selection} } }`, thread)).thread
    .messages.nodes;
  await app.client.mutate('editMessage', { id: message.id, text: 'after' }, 'threadMessage { id }');
  const fork = await app.client.mutate('forkThread', { throughMessageId: message.id }, `thread { ${selection} }`);
  expect(fork.thread.messages.nodes).toMatchObject([{ text: 'after', attachments: [{ name: 'kept.txt' }] }]);
  const ask = 'query($threadId: ID!) { files(filter: { threadId: $threadId }) { nodes { name } } }';
  const { files } = await app.client.data(ask, { threadId: fork.thread.id });
  expect(files.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(['common.txt', 'kept.txt']);
});

test('a fork keeps the generated files of its source after the source is deleted, and no other copy remains', async () => {
  const selection = `thread { id } messages { nodes { id content { __typename ... on ImageContent { url file { id } }
    ... on TextContent { annotations { ... on FilePath { file { id url } } } } } } }`;
  const tools = [{ textToImage: { model: 'demo' } }, { codeInterpreter: {} }];
  const drawn = await app.client.finished((await app.client.ask('draw a cat', { model: 'demo', tools })).id, selection);
  const threadId = drawn.thread.id;
  const text = "```python\nopen('/mnt/data/kept.txt', 'w').write('kept')\n```";
  await app.client.mutate('createMessage', { threadId, message: { text } }, 'threadMessage { id }');
  const wrote = await app.client.finished((await app.client.run({ model: 'demo', tools, threadId })).id, selection);
  const picture = drawn.messages.nodes[0].content.find((part: { file?: object }) => part.file);
  const file = wrote.messages.nodes[0].content[0].annotations[0].file;
  const last = wrote.messages.nodes.at(-1).id;
  const { thread: fork } = await app.client.mutate('forkThread', { throughMessageId: last }, 'thread { id }');
  await app.client.mutate('deleteThread', { id: threadId }, 'deletedId');
  const shown = await app.client.data(
    `query($id: ID!) { thread(id: $id) { ${selection.replace('thread { id }', '')} } files { nodes { id } } }`,
    fork,
  );
  expect(JSON.stringify(shown.thread)).toContain(picture.file.id);
  expect(JSON.stringify(shown.thread)).toContain(file.id);
  expect((await fetch(picture.url)).status).toBe(200);
  expect(await (await fetch(file.url)).text()).toBe('kept');
  await app.client.mutate('deleteThread', { id: fork.id }, 'deletedId');
  expect([(await fetch(picture.url)).status, (await fetch(file.url)).status]).toEqual([404, 404]);
});

test('forking a thread during its deletion either fails or keeps the generated images', async () => {
  for (let round = 0; round < 4; round += 1) {
    const ask = { model: 'demo', tools: [{ textToImage: { model: 'demo' } }] };
    const drawn = await app.client.finished(
      (await app.client.ask('draw a cat', ask)).id,
      'thread { id } messages { nodes { id } }',
    );
    const [forked] = await Promise.all([
      app.client.send(
        `mutation($id: ID!) { forkThread(input: { throughMessageId: $id }) { ... on ForkThreadPayload { thread { messages { nodes {
          content { ... on ImageContent { url } } } } } } } }`,
        { id: drawn.messages.nodes[0].id },
      ),
      app.client.mutate('deleteThread', { id: drawn.thread.id }, 'deletedId'),
    ]);
    const parts = forked.data?.forkThread?.thread?.messages.nodes.flatMap(({ content }: any) => content) ?? [];
    for (const { url } of parts) if (url) expect((await fetch(url)).status).toBe(200);
  }
});

test('the links of a deleted workspace end at once', async () => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Gone' }, 'workspace { id }');
  const { url } = await upload(app.in(workspace.id), 'text', 'a.txt');
  expect((await fetch(url)).status).toBe(200);
  // Without the chores that delete the rows of the workspace.
  const { database } = app.app.services;
  await database.workspace.update({ where: { id: workspace.id }, data: { deletedAt: new Date() } });
  expect((await fetch(url)).status).toBe(404);
});

test('deleting a workspace deletes the bytes of its files', async () => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Gone' }, 'workspace { id }');
  const stored = await upload(app.in(workspace.id), 'gone soon', 'gone.txt');
  await app.client.mutate('deleteWorkspace', { id: workspace.id }, 'deletedId');
  const { database } = app.app.services;
  await expect.poll(() => database.workspace.count({ where: { id: workspace.id } }), { timeout: 15_000 }).toBe(0);
  expect((await fetch(stored.url)).status).toBe(404);
});
