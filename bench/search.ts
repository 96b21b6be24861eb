// npm run search: what file_search takes in many passages, by words and by vectors, against a plain look for the same text in all of
// them. DATABASE_URL: a PostgreSQL with pgvector (a database is made in it, and dropped); without it the database is embedded.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { bindToWorkspace, type Database } from '../src/db/client.ts';
import { openPglite } from '../src/db/pglite.ts';
import { openPostgres } from '../src/db/postgres.ts';
import { openVectors } from '../src/db/vectors.ts';
import type { DomainContext } from '../src/domain/context.ts';
import { findByMeaning } from '../src/domain/search/find-by-meaning.ts';
import { findByWords } from '../src/domain/search/find-by-words.ts';

const files = 10;
const passagesOfFile = 5000;
const dimensions = 1024;
const times = 10;
const workspaceId = 'bench';
const ids = Array.from({ length: files }, (_, index) => `file_${index}`);
const vector = () => Array.from({ length: dimensions }, () => Math.random() * 2 - 1);

async function openDatabase(): Promise<{ client: Database; close: () => Promise<void> }> {
  const url = process.env.DATABASE_URL;
  if (!url) return openPglite({});
  const name = `assistant_graph_bench_${randomBytes(4).toString('hex')}`;
  const server = new pg.Client({ connectionString: url });
  await server.connect();
  await server.query(`CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  const { client, close } = await openPostgres({ url: own.href, connections: 4 }, () => {});
  return {
    client,
    close: async () => {
      await close();
      await server.query(`DROP DATABASE ${name}`);
      await server.end();
    },
  };
}

/** Fills a workspace with passages of some 900 characters: words of a vocabulary, the first ones by far the most often. */
async function fill(database: Database): Promise<void> {
  await database.workspace.create({ data: { id: workspaceId, name: 'Bench' } });
  await database.$executeRaw`INSERT INTO "Blob" ("workspaceId", "key", "sha256", "sizeBytes") VALUES (${workspaceId}, 'k', ${'0'.repeat(64)}, 1)`;
  await database.$executeRaw`
    INSERT INTO "File" ("workspaceId", "id", "blobKey", "name", "mimeType", "sizeBytes", "ingestion")
    SELECT ${workspaceId}, id, 'k', id || '.txt', 'text/plain', 1, 'COMPLETED' FROM unnest(${ids}::text[]) id`;
  await database.$executeRaw`
    CREATE FUNCTION bench_word(n int) RETURNS text IMMUTABLE LANGUAGE sql
    AS $$ SELECT substr(translate(md5(n::text), '0123456789', 'ghijklmnop'), 1, 4 + n % 6) $$`;
  const last = passagesOfFile - 1;
  for (const id of ids) {
    await database.$executeRaw`
      INSERT INTO "Passage" ("workspaceId", "fileId", "index", "text", "words")
      SELECT ${workspaceId}, ${id}, i, t, to_tsvector('english', t) || to_tsvector('simple', t) FROM (
        SELECT i, string_agg(bench_word(floor(power(random(), 4) * 20000)::int), ' ') AS t
        FROM generate_series(0, ${last}::int) i, generate_series(1, 120) GROUP BY i) p`;
    await database.$executeRaw`
      INSERT INTO "FileTerm" ("workspaceId", "fileId", "term")
      SELECT ${workspaceId}, ${id}, bench_word(n) FROM generate_series(0, 19999) n ON CONFLICT DO NOTHING`;
    await database.$executeRaw`
      INSERT INTO "PassageEmbedding" ("workspaceId", "fileId", "index", "model", "embedding")
      SELECT ${workspaceId}, ${id}, i, 'bench', array_agg((random() - 0.5)::real)::vector
      FROM generate_series(0, ${last}::int) i, generate_series(1, ${dimensions}::int) GROUP BY i`;
  }
  await database.$executeRawUnsafe('ANALYZE');
}

async function median(work: () => Promise<unknown>): Promise<number> {
  await work();
  const taken: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const start = performance.now();
    await work();
    taken.push(performance.now() - start);
  }
  return taken.sort((one, other) => one - other)[Math.floor(times / 2)] as number;
}

const { client, close } = await openDatabase();
const why = await openVectors(client);
if (why) throw new Error(why);
await fill(client);
const embedder = {
  ...{ model: 'bench', batchSize: 1, parallelCalls: 1 },
  embed: async () => ({ vectors: [vector()], tokens: 1 }),
};
const ctx = { workspaceId, db: bindToWorkspace(client, workspaceId), embedder } as unknown as DomainContext;
const { signal } = new AbortController();
const plain = (query: string) => client.$queryRaw`
  SELECT "fileId", "index" FROM "Passage"
  WHERE "workspaceId" = ${workspaceId} AND "fileId" = ANY(${ids}::text[]) AND strpos(lower("text"), ${query}) > 0 LIMIT 10`;
const baseline = await median(() => plain('nowhere at all'));
/** The words of some numbers: the smaller, the more often. */
async function query(...numbers: number[]): Promise<string> {
  const [row] = await client.$queryRaw<Array<{ words: string }>>`
    SELECT string_agg(bench_word(n), ' ') AS "words" FROM unnest(${numbers}::int[]) n`;
  return (row as { words: string }).words;
}
const [rare, mixed] = [await query(19_999), await query(0, 3, 812, 15_021)];
const figures: Array<[string, number]> = [
  ['looking for a text in all of them', baseline],
  ['by words, a rare one', await median(() => findByWords(ctx, ids, rare, 10))],
  ['by words, four of which two are frequent', await median(() => findByWords(ctx, ids, mixed, 10))],
  [
    'by words that are nearly right',
    await median(() => findByWords(ctx, ids, `${rare.slice(0, 5)}z${rare.slice(5)}`, 10)),
  ],
  [`by vectors of ${dimensions}`, await median(() => findByMeaning(ctx, ids, 'x', 50, signal))],
];
await close();
console.log(`${files * passagesOfFile} passages, ${process.env.DATABASE_URL ? 'PostgreSQL' : 'embedded'}; medians`);
for (const [what, ms] of figures)
  console.log(`${what.padEnd(42)} ${ms.toFixed(0).padStart(6)} ms  ${(ms / baseline).toFixed(2)}`);
