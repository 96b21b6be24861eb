import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const source = (path: string) => JSON.stringify(new URL(`../../src/graphql/${path}`, import.meta.url).href);

/** Adds a field to the builder and builds the schema; in a process of its own, because the builder is shared. */
const program = `
  const { builder } = await import(${source('builder.ts')});
  const { buildSchema } = await import(${source('schema/schema.ts')});
  builder.queryField('unheardOf', (t) => t.string({ description: 'A field without a row.', resolve: () => 'x' }));
  buildSchema();
`;

test('a field without a permission makes building the schema fail', async () => {
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  await expect(run).rejects.toThrow('graphql/permissions.ts has no permission for Query.unheardOf');
});
