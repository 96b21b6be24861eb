import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type EmbeddingServer, startEmbeddingServer } from '../support/embedding-server.ts';
import { ingestionOf, searchWith, uploadRead } from '../support/file-search.ts';
import { ServerProcess } from '../support/process.ts';
import { upload } from '../support/upload.ts';

/** Whether the database under test has pgvector: the embedded one has. */
async function hasVectors(): Promise<boolean> {
  const postgres = inject('postgres');
  if (!postgres) return true;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query(`SELECT 1 FROM pg_available_extensions WHERE name = 'vector'`);
  await client.end();
  return rows.length > 0;
}

const isAvailable = await hasVectors();
let provider: EmbeddingServer;
beforeAll(async () => {
  provider = await startEmbeddingServer();
});
beforeEach(() => {
  provider.answers(null);
  provider.hold(null);
});
afterAll(() => provider[Symbol.asyncDispose]());

const settings = () => ({ OPENAI_BASE_URL: `${provider.url}/v1`, EMBEDDING_MODEL: 'openai/meanings' });
const refund = 'Customers get a refund within thirty days.';
const cats = 'The kitten sleeps all day.';

describe.runIf(isAvailable)('with an embedding model', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp(settings());
  });
  afterAll(() => app.stop());

  test('a file is found by its meaning, in another language and without a common word', async () => {
    const [{ id, ingestion }, other] = await Promise.all([
      uploadRead(app.client, refund, 'policy.txt'),
      uploadRead(app.client, cats, 'cats.txt'),
    ]);
    expect(ingestion).toMatchObject({ status: 'COMPLETED', progress: 1, embeddingModel: 'openai/meanings' });
    expect(ingestion).toMatchObject({ embeddingError: null, embeddingTokens: refund.split(' ').length });
    for (const [query, name] of [
      ['退钱', 'policy.txt'],
      ['feline', 'cats.txt'],
    ] as const) {
      const { results } = await searchWith(app.client, query, [id, other.id]);
      expect(results[0].file.name).toBe(name);
      expect(results[0].score).toBeGreaterThan(results[1].score);
    }
  });

  test('a match by words and by meaning ranks before a match by one of them', async () => {
    const [both, words, meaning] = await Promise.all([
      uploadRead(app.client, 'Your money back: ask for a refund.', 'both.txt'),
      uploadRead(app.client, 'Ask for the timetable.', 'words.txt'),
      uploadRead(app.client, '退款政策', 'meaning.txt'),
    ]);
    const { results } = await searchWith(app.client, 'ask for a refund', [words.id, meaning.id, both.id]);
    expect(results.map(({ file }: { file: { name: string } }) => file.name)).toEqual([
      'both.txt',
      'meaning.txt',
      'words.txt',
    ]);
    expect(results[0].score).toBeGreaterThan(0.8);
    expect(results[2].score).toBeLessThan(0.4);
  });

  test('a large file is embedded in several calls within the batch size', async () => {
    provider.calls.length = 0;
    const { ingestion } = await uploadRead(
      app.client,
      'A line about nothing much at all.\n\n'.repeat(6000),
      'large.txt',
    );
    expect(ingestion).toMatchObject({ status: 'COMPLETED', embeddingModel: 'openai/meanings' });
    const sizes = provider.calls.map(({ length }) => length);
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
    expect(ingestion.embeddingTokens).toBe(provider.calls.flat().join(' ').split(/\s+/).length);
  });

  test('a search compares only the vectors of its own files', async () => {
    const elsewhere = app.in(
      (await app.client.mutate('createWorkspace', { name: 'elsewhere' }, 'workspace { id }')).workspace.id,
    );
    const [mine] = await Promise.all([
      uploadRead(app.client, cats, 'mine.txt'),
      uploadRead(app.client, refund, 'not-attached.txt'),
      uploadRead(elsewhere, refund, 'foreign.txt'),
    ]);
    const { results } = await searchWith(app.client, '退钱', [mine.id]);
    expect(results.map(({ file }: { file: { name: string } }) => file.name)).toEqual(['mine.txt']);
  });

  test('the vectors of a deleted file are deleted', async () => {
    const { id } = await uploadRead(app.client, refund, 'gone.txt');
    const { database } = app.app.services;
    const count = () =>
      database.$queryRaw<Array<{ count: number }>>`
        SELECT count(*)::int AS "count" FROM "PassageEmbedding" WHERE "fileId" = ${id}`;
    expect(await count()).toEqual([{ count: 1 }]);
    await app.client.mutate('deleteFile', { id }, 'deletedId');
    expect(await count()).toEqual([{ count: 0 }]);
  });

  test('a file that is deleted while it is embedded leaves nothing, and the next file is processed', async () => {
    let release = () => {};
    const asked = new Promise<void>((resolve) => {
      provider.answers((response) => {
        resolve();
        release = () => void response.writeHead(500).end();
      });
    });
    const { id } = await upload(app.client, refund, 'short-lived.txt');
    await asked;
    await app.client.mutate('deleteFile', { id }, 'deletedId');
    provider.answers(null);
    release();
    const { ingestion } = await uploadRead(app.client, cats, 'next.txt');
    expect(ingestion).toMatchObject({ status: 'COMPLETED', embeddingModel: 'openai/meanings' });
    const { database } = app.app.services;
    expect(await database.passage.count({ where: { fileId: id } })).toBe(0);
    expect(await database.fileTerm.count({ where: { fileId: id } })).toBe(0);
  });

  test('the progress of an ingestion is visible', async () => {
    const held: Array<() => void> = [];
    provider.hold((answer) => held.push(answer));
    const { id } = await upload(app.client, 'A line about nothing much at all.\n\n'.repeat(60_000), 'long.txt');
    const progress = async () => {
      for (const answer of held.splice(0)) answer();
      return (await ingestionOf(app.client, id)).progress;
    };
    // It is stored once a second at most: what is held goes on bit by bit until it has been.
    await expect.poll(progress, { timeout: 20_000, interval: 300 }).toBeGreaterThan(0.5);
    expect(await ingestionOf(app.client, id)).toMatchObject({ status: 'IN_PROGRESS', embeddingModel: null });
    provider.hold(null);
    for (const answer of held.splice(0)) answer();
    await expect.poll(async () => (await ingestionOf(app.client, id)).status, { timeout: 15_000 }).toBe('COMPLETED');
  });

  test('the many files of one workspace do not delay the file of another', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'small' }, 'workspace { id }');
    const held: Array<() => void> = [];
    provider.hold((answer) => held.push(answer));
    provider.calls.length = 0;
    for (let number = 1; number <= 5; number += 1) await upload(app.client, `crowd ${number}`, `${number}.txt`);
    // One workspace takes three of the four lanes.
    await expect.poll(() => held.length, { timeout: 15_000 }).toBe(3);
    const { id } = await upload(app.in(workspace.id), 'the only one', 'only.txt');
    await expect.poll(() => provider.calls.length, { timeout: 15_000 }).toBe(4);
    expect(provider.calls[3]).toEqual(['the only one']);
    provider.hold(null);
    for (const answer of held.splice(0)) answer();
    const status = async () => (await ingestionOf(app.in(workspace.id), id)).status;
    await expect.poll(status, { timeout: 15_000 }).toBe('COMPLETED');
  });

  test('a call is retried after a temporary failure', async () => {
    let failures = 1;
    provider.answers((response) => {
      if (failures-- > 0) provider.answers(null);
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '0' });
      response.end('{"error":{"message":"slow down"}}');
    });
    const { ingestion } = await uploadRead(app.client, refund, 'later.txt');
    expect(ingestion).toMatchObject({ embeddingModel: 'openai/meanings', embeddingError: null });
  });

  test.each(['🙂', '""', "'; DROP TABLE", '退'.repeat(3000)])(
    'a query with special characters is only a query: %j',
    async (query) => {
      const { id } = await upload(app.client, cats, 'strange.txt');
      expect((await searchWith(app.client, query, [id])).status).toBe('COMPLETED');
    },
  );
});

describe.runIf(isAvailable)('a model that fails', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp(settings());
  });
  afterAll(() => app.stop());

  // A provider that refuses more than one text gets no further call for a while, from any test.
  test.each([
    ['rejects the text', 400, '{"error":{"message":"too long"}}', /rejected the request.*too long/],
    ['rejects the key', 401, '{"error":{"message":"bad key sk-123456789"}}', /rejected the server's API key/],
  ])('and %s: the file is found by its words and reports the reason', async (_name, status, body, why) => {
    provider.answers((response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
    const { id, ingestion } = await uploadRead(app.client, refund, 'policy.txt');
    expect(ingestion).toMatchObject({
      status: 'COMPLETED',
      embeddingModel: null,
      embeddingError: expect.stringMatching(why),
    });
    expect(ingestion.embeddingError).not.toContain('sk-123456789');
    const { results } = await searchWith(app.client, 'refunds', [id]);
    expect(results).toMatchObject([{ file: { name: 'policy.txt' } }]);
  });

  test.each([
    ['no vectors', '{"data":[],"usage":{"prompt_tokens":1}}'],
    ['a zero vector', '{"data":[{"embedding":[0,0,0,0]}],"usage":{"prompt_tokens":1}}'],
  ])('and returns %s: the search goes by words', async (_name, body) => {
    await using app = await startTestApp(settings());
    const { id } = await uploadRead(app.client, refund, 'policy.txt');
    provider.answers((response) => response.writeHead(200, { 'content-type': 'application/json' }).end(body));
    const { results, status } = await searchWith(app.client, 'refunds', [id]);
    expect(status).toBe('COMPLETED');
    expect(results).toMatchObject([{ file: { name: 'policy.txt' } }]);
    const later = await uploadRead(app.client, cats, 'later.txt');
    expect(later.ingestion.embeddingError).toBe('The last call of openai/meanings failed.');
  });

  test('and does not respond while the server stops: the next start embeds the file', async () => {
    await using server = await ServerProcess.prepare(settings());
    await server.start();
    const asked = new Promise<void>((resolve) => provider.answers(() => resolve()));
    const { id } = await upload(server.client, refund, 'policy.txt');
    await asked;
    await server.end('SIGTERM');
    provider.answers(null);
    await server.start();
    const embedded = async () => (await ingestionOf(server.client, id)).embeddingModel;
    await expect.poll(embedded, { timeout: 15_000 }).toBe('openai/meanings');
  });

  // Elsewhere what was being tried is left alone for a minute: another process may be at it.
  test.skipIf(inject('postgres'))(
    'and is unreachable: the next start embeds the file, also for another model',
    async () => {
      await using server = await ServerProcess.prepare({ ...settings(), OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' });
      await server.start();
      const { id, ingestion } = await uploadRead(server.client, refund, 'policy.txt');
      expect(ingestion).toMatchObject({ status: 'COMPLETED', embeddingError: expect.stringMatching(/reached/) });
      await server.end('SIGKILL');
      for (const model of ['openai/meanings', 'openai/other']) {
        const next = server.with({ ...settings(), EMBEDDING_MODEL: model });
        await next.start();
        const embedded = async () => (await ingestionOf(next.client, id)).embeddingModel;
        await expect.poll(embedded, { timeout: 15_000 }).toBe(model);
        const { results } = await searchWith(next.client, '退钱', [id]);
        expect(results).toMatchObject([{ file: { name: 'policy.txt' } }]);
        await next.end('SIGKILL');
      }
    },
  );
});

test.runIf(isAvailable)("DashScope's models are called with its own protocol", async () => {
  const url = `${provider.url}/compatible-mode/v1`;
  const environment = { DASHSCOPE_API_KEY: 'k', DASHSCOPE_BASE_URL: url, DEFAULT_MODEL: 'demo' };
  await using app = await startTestApp({
    ...environment,
    EMBEDDING_MODEL: 'alibaba/text-embedding-v4',
    EMBEDDING_DIMENSIONS: '256',
  });
  const { id, ingestion } = await uploadRead(app.client, refund, 'policy.txt');
  expect(ingestion.embeddingModel).toBe('alibaba/text-embedding-v4@256');
  await searchWith(app.client, '退钱', [id]);
  const asked = provider.heard.slice(-2).map(({ url, body }) => ({ url, ...JSON.parse(body) }));
  expect(asked).toMatchObject([
    { model: 'text-embedding-v4', parameters: { text_type: 'document', dimension: 256 } },
    { input: { texts: ['退钱'] }, parameters: { text_type: 'query', dimension: 256 } },
  ]);
  expect(asked[0].url).toBe('/api/v1/services/embeddings/text-embedding/text-embedding');
});

test.each([
  ['of no provider', { EMBEDDING_MODEL: 'cohere/embed' }],
  ['of a provider that is not configured', { EMBEDDING_MODEL: 'alibaba/text-embedding-v4' }],
])('a model %s prevents the start', async (_name, environment) => {
  const refusal = startTestApp({ OPENAI_BASE_URL: `${provider.url}/v1`, ...environment });
  await expect(refusal).rejects.toThrow(/EMBEDDING_MODEL: no configured provider serves .* DASHSCOPE_API_KEY/);
});

test.runIf(!isAvailable)('without pgvector a server starts with a warning and searches by words', async () => {
  await using server = await ServerProcess.prepare(settings());
  await server.start();
  expect(server.output).toContain('EMBEDDING_MODEL has no effect');
  const { id, ingestion } = await uploadRead(server.client, refund, 'policy.txt');
  expect(ingestion).toMatchObject({ status: 'COMPLETED', embeddingModel: null, embeddingError: null });
  expect((await searchWith(server.client, 'refund', [id])).results).toHaveLength(1);
});
