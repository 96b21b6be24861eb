// npm run schema: prints the schema to schema.graphql, which is committed.
import { writeFile } from 'node:fs/promises';
import { printedSchema } from '../src/graphql/schema/print-schema.ts';

await writeFile(new URL('../schema.graphql', import.meta.url), printedSchema());
