// npm run migration -- <name>: writes the SQL between prisma/migrations and the schema files as a new migration.
import { mkdir, writeFile } from 'node:fs/promises';
import { createPglite } from '../src/db/create-pglite.ts';
import { diffMigrationsAgainstSchema, migrationAdapter } from '../src/db/schema-engine.ts';

const name = process.argv[2];
if (!name || !/^[a-z0-9_]+$/.test(name)) {
  console.error('usage: npm run migration -- <name>   (lower case letters, digits and _)');
  process.exit(1);
}
const pglite = await createPglite();
const sql = await diffMigrationsAgainstSchema(migrationAdapter(pglite));
const time = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
const folder = new URL(`../prisma/migrations/${time}_${name}/`, import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('migration.sql', folder), sql);
console.log(`${folder.pathname}migration.sql`);
process.exit(0);
