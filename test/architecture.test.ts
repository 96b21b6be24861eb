import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('db/generated'))
  .sort();

/** What the files of a folder may import beside their own folder and the leaves; `name` or `folder/file`. */
const filePorts = ['files/file-store', 'files/staging', 'files/upload'];
const allowed: Record<string, string[]> = {
  server: ['graphql/context', 'graphql/error', 'graphql/limit', 'domain', ...filePorts],
  graphql: ['domain', 'db/generated', 'providers/model-catalog', 'files/upload', 'tools/tool'],
  domain: [
    'db/client',
    'db/generated',
    'queue/queue',
    'bus/bus',
    'providers/model-catalog',
    'providers/embedder',
    'ingest',
    'tools/tool',
    ...filePorts,
  ],
  engine: [
    'domain',
    'db/client',
    'db/generated',
    'queue/queue',
    'bus/bus',
    'providers/model-catalog',
    'providers/model-error',
    'offload/offload',
    'tools/tool',
  ],
  offload: [],
  queue: ['db/client'],
  bus: [],
  files: [],
  tools: [],
  ingest: [],
  providers: [],
  db: [],
};
const leaves = ['id', 'log', 'config', 'variables', 'secret', 'vault', 'until-aborted'];
/** Packages that only some folders know. */
const packages: Record<string, string[]> = {
  graphql: ['server', 'graphql'],
  'graphql-yoga': ['server'],
  'graphql-ws': ['server'],
  'graphql-sse': ['server'],
  ws: ['server'],
  '@pothos/core': ['graphql'],
  '@prisma/adapter-pg': ['db'],
  pg: ['db', 'bus'],
  '@redis/client': ['bus'],
  '@electric-sql/pglite': ['db', 'queue'],
  'pg-boss': ['queue'],
  '@ai-sdk/alibaba': ['providers'],
  '@ai-sdk/openai': ['providers'],
  piscina: ['offload'],
  'gpt-tokenizer/encoding/o200k_base': ['offload'],
  jose: ['server', 'domain'],
  '@fastify/busboy': ['server'],
  cors: ['server'],
};

const imports = files.flatMap((file) => {
  const text = readFileSync(join(src, file), 'utf8');
  const found = [...text.matchAll(/^(?:import|export)[^'"]*?from '([^']+)'|^import '([^']+)'|import\('([^']+)'\)/gm)];
  return found.map((match) => ({ file, target: (match[1] ?? match[2] ?? match[3]) as string, text: match[0] }));
});
const folderOf = (file: string) => (file.includes('/') ? (file.split('/')[0] as string) : '');

test('a folder imports what its layer may, and nothing above it', () => {
  const wrong = imports.flatMap(({ file, target }) => {
    const folder = folderOf(file);
    if (!target.startsWith('.') || folder === '') return [];
    const path = normalize(join(dirname(file), target)).replace(/\.ts$/, '');
    const isOwn = folderOf(path) === folder;
    const fits =
      leaves.includes(path) || allowed[folder]?.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
    return isOwn || fits ? [] : [`${file} imports ${path}`];
  });
  expect(wrong).toEqual([]);
});

test('a package is known only where it belongs', () => {
  const wrong = imports.filter(({ file, target }) => {
    const at = folderOf(file);
    return at !== '' && packages[target] && !packages[target].includes(at);
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('only app.ts names drivers', () => {
  const drivers = ['bus/memory', 'queue/pg-boss', 'db/pglite', 'db/postgres', 'providers/registry'];
  const users = imports.filter(({ file, target }) => {
    const path = normalize(join(dirname(file), target)).replace(/\.ts$/, '');
    return target.startsWith('.') && drivers.includes(path) && folderOf(file) !== folderOf(path);
  });
  expect([...new Set(users.map(({ file }) => file))]).toEqual(['app.ts']);
});

test('only config/config.ts reads the environment', () => {
  const readers = files.filter((file) => readFileSync(join(src, file), 'utf8').includes('process.env'));
  expect(readers).toEqual(['config/config.ts']);
});

test('only domain/run.ts changes the status of a run', () => {
  const writers = files.filter((file) => /\bstatus,?\s*\}|\bstatus:\s*'[A-Z_]+'/.test(runUpdates(file)));
  expect(writers.filter((file) => file !== 'domain/run.ts')).toEqual([]);
});

/** The `data` of all updates of runs in a file. */
function runUpdates(file: string): string {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/\brun\.update(?:Many|ManyAndReturn)?\([^;]*?data: (\{[^;]*)/gs)]
    .map(([, data]) => data)
    .join('\n');
}

test('only the domain writes tables', () => {
  const write =
    /\.(?:workspace|apiKey|apiKeySecret|apiKeyWorkspace|server|signingKey|assistant|thread|message|run|step|toolCall|event|piece)\.(?:create|update|delete|upsert)/;
  const writers = files.filter((file) => write.test(readFileSync(join(src, file), 'utf8')));
  expect(writers.filter((file) => folderOf(file) !== 'domain')).toEqual([]);
});

test('no file is larger than a reader takes in at once', () => {
  const long = files.map((file) => [file, readFileSync(join(src, file), 'utf8').split('\n').length] as const);
  expect(long.filter(([, lines]) => lines > 300)).toEqual([]);
});
