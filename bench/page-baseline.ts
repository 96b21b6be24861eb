// What page.ts is measured against: node:http and two SQL statements, with nothing in between.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';

type Query = (text: string, values: unknown[]) => Promise<unknown[]>;

async function openDatabase(): Promise<Query> {
  if (process.env.DATABASE_URL) {
    const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
    return async (text, values) => (await pool.query(text, values)).rows;
  }
  const pglite = await PGlite.create();
  await pglite.exec(`
    CREATE TABLE "Thread" (id text PRIMARY KEY, title text);
    CREATE TABLE "Message" (id text, "threadId" text, position int, role text, status text, text text, "createdAt" timestamptz, UNIQUE ("threadId", position));`);
  const thread = process.env.THREAD_ID;
  await pglite.query('INSERT INTO "Thread" VALUES ($1, $2)', [thread, 'Bench']);
  const messages = JSON.parse(process.env.MESSAGES ?? '[]') as Array<{ text: string }>;
  for (const [index, { text }] of messages.entries()) {
    const row = [`msg_${index}`, thread, index + 1, 'USER', 'COMPLETED', text];
    await pglite.query('INSERT INTO "Message" VALUES ($1, $2, $3, $4, $5, $6, now())', row);
  }
  return async (text, values) => (await pglite.query(text, values)).rows;
}

const query = await openDatabase();
const threadSql = 'SELECT id, title FROM "Thread" WHERE id = $1';
const pageSql =
  'SELECT id, role, status, text, "createdAt", position FROM "Message" WHERE "threadId" = $1 ORDER BY position DESC LIMIT 21';

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { variables } = JSON.parse(Buffer.concat(chunks).toString());
  const [thread] = await query(threadSql, [variables.id]);
  const rows = await query(pageSql, [variables.id]);
  const nodes = rows.slice(0, 20);
  const pageInfo = {
    hasNextPage: rows.length > 20,
    endCursor: String((nodes.at(-1) as { position: number }).position),
  };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ data: { thread: { ...(thread as object), messages: { nodes, pageInfo } } } }));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on('SIGTERM', () => process.exit(0));
