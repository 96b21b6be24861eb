import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Prisma } from '../src/db/generated/client.ts';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('db/generated'))
  .sort();
const textOf = (file: string) => readFileSync(join(src, file), 'utf8');

/** The folder of a file; its name for a file directly in src. */
const roomOf = (file: string) => (file.includes('/') ? dirname(file) : file.replace(/\.ts$/, ''));
const layerOf = (file: string) => file.split('/')[0] as string;

/** Every import, of types too: `target` is a path from src without its ending, or the name of a package. */
const imports = files.flatMap((file) => {
  const found = textOf(file).matchAll(
    /^(?:import|export)[^'"]*?from '([^']+)'|^import '([^']+)'|import\('([^']+)'\)/gm,
  );
  return [...found].map((match) => {
    const target = (match[1] ?? match[2] ?? match[3]) as string;
    const isOwn = target.startsWith('.');
    return { file, isOwn, target: isOwn ? normalize(join(dirname(file), target)).replace(/\.ts$/, '') : target };
  });
});

/** Files that every room may import: they know nothing of the project. */
const leaves = ['id', 'log', 'async', 'config/timing'];
const database = ['db/client', 'db/generated'];
const toolPorts = [
  'tools/tool',
  'tools/call-context',
  'tools/plugin-source',
  'tools/search-result',
  'tools/tool-factory',
];
/** What every room of the domain may import besides its own. */
const domainBase = [
  'domain/context',
  'domain/error',
  'domain/input',
  'domain/limits',
  'domain/quota',
  'domain/run-status',
  'db/unavailable',
  ...database,
];
const serverBase = [
  'server/cors',
  'server/limits',
  'server/json-values',
  'server/trusted-proxies',
  'domain',
  'graphql/context',
  'db/availability',
  'db/unavailable',
];

/**
 * What the files of a room may import besides their own room and the leaves: a file, or the files that lie directly in a room
 * (`domain` stands for all of its rooms). Within a block, a room imports only rooms above it.
 */
const rooms: Record<string, readonly string[]> = {
  async: [],
  secret: [],
  process: [],
  config: ['secret/key-secret', 'providers/vendors'],

  // Ports and their drivers. A vendor declares its own settings.
  bus: [],
  db: ['db/generated'],
  files: [],
  offload: [],
  providers: ['config/config-error', 'config/kind', 'config/setting'],
  queue: ['db/client'],
  'ingest/readers': ['ingest/limits', 'ingest/protocol'],
  ingest: ['ingest/readers', 'process'],
  'tools/python': ['process', 'tools/limits', ...toolPorts],
  'tools/plugin': ['offload/fair-pool', 'offload/task', 'tools/limits', ...toolPorts],
  tools: ['tools/plugin', 'tools/python'],

  // The rules. The files directly in domain name the types of some rooms: they are what a context holds.
  domain: [
    ...['bus/bus', 'files/file-store', 'files/staging', 'providers/embedder', 'providers/model-catalog', 'queue/queue'],
    ...['secret/vault', 'tools/plugin-source', 'tools/tool-factory', 'db/availability', ...database],
    ...['domain/access/actor', 'domain/access/signing-key', 'domain/file/file-link', 'domain/follow/thread-feeds'],
  ],
  'domain/access': [...domainBase, 'secret'],
  'domain/search': [...domainBase, 'ingest', 'providers/embedder', 'tools/search-result'],
  'domain/tool': [...domainBase, 'domain/access', 'files/upload', 'tools/plugin-source', 'tools/tool'],
  'domain/file': [...domainBase, 'domain/access', 'domain/search', 'files', 'ingest/kind', 'secret/vault'],
  'domain/log': [...domainBase, 'domain/access', 'bus/bus'],
  'domain/thread': [...domainBase, 'domain/access', 'domain/file', 'domain/log'],
  'domain/run': [
    ...[...domainBase, 'domain/access', 'domain/file', 'domain/log', 'domain/search', 'domain/thread', 'domain/tool'],
    ...[
      'bus/bus',
      'db/advisory-locks',
      'files/no-room',
      'files/staging',
      'providers/model-catalog',
      'tools/call-context',
      'tools/tool',
    ],
  ],
  'domain/follow': [...domainBase, 'domain/access', 'domain/log', 'domain/run', 'bus/bus'],
  'domain/history': [
    ...[...domainBase, 'domain/access', 'domain/log', 'domain/run', 'domain/thread', 'domain/tool', 'bus/bus'],
  ],
  'domain/workspace': [...domainBase, 'domain/access', 'domain/log', 'domain/run'],
  'domain/assistant': [
    ...[...domainBase, 'domain/access', 'domain/file', 'domain/history', 'domain/run', 'domain/tool'],
    'domain/workspace',
  ],
  'domain/retention': [...domainBase, 'domain/file', 'domain/history'],

  // Runs.
  engine: [
    ...[
      'domain',
      'db/unavailable',
      ...database,
      'bus/bus',
      'offload/offload',
      'offload/offload-error',
      'providers/model-catalog',
    ],
    ...['providers/extra-parameters', 'providers/model-error', 'providers/response-meter', 'queue/queue', 'tools/tool'],
  ],

  // The graph.
  graphql: ['domain', 'db/generated', 'files/upload'],
  'graphql/schema': [
    ...['graphql', 'domain', 'db/generated', 'providers/model-catalog', 'tools/plugin-source', 'tools/tool'],
  ],

  // HTTP, WebSocket and server-sent events.
  server: [],
  'server/session': [...serverBase, 'graphql/schema/error', 'config/config'],
  'server/yoga': [
    ...serverBase,
    'server/session',
    'graphql/limits',
    'graphql/max-aliases',
    'graphql/operation-cost',
    'graphql/schema/error',
  ],
  'server/live': [...serverBase, 'server/session', 'server/yoga'],
  'server/http': [
    ...[...serverBase, 'server/session', 'server/yoga', 'server/live'],
    ...['files/file-store', 'files/free-space', 'files/no-room', 'files/staging', 'files/upload'],
  ],
};

/** Packages that only some layers or rooms know. */
const packages: Record<string, readonly string[]> = {
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

const isWithin = (path: string, place: string) => path === place || path.startsWith(`${place}/`);
/** Whether a target is a named file or lies directly in a named room. */
const isAllowed = (target: string, place: string) => target === place || roomOf(`${target}.ts`) === place;

test('every room has a row in the table', () => {
  const actual = new Set(files.filter((file) => file.includes('/')).map(roomOf));
  expect(Object.keys(rooms).sort()).toEqual([...actual].sort());
});

test('a room imports only what its row in the table allows', () => {
  const whole = ['domain', 'db/generated', 'async', 'secret'];
  const wrong = imports.filter(({ file, isOwn, target }) => {
    const room = roomOf(file);
    if (!isOwn || !file.includes('/') || roomOf(`${target}.ts`) === room) return false;
    const allowed = [...(rooms[room] ?? []), ...leaves];
    return !allowed.some((place) => isAllowed(target, place) || (whole.includes(place) && isWithin(target, place)));
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test('no row in the table allows what no file of the room imports', () => {
  const unused = Object.entries(rooms).flatMap(([room, allowed]) => {
    const base = [...domainBase, ...serverBase, ...toolPorts];
    const shared = (place: string) => base.includes(place) && /^(domain|server|tools)\//.test(room);
    const used = imports.filter(({ file, isOwn }) => isOwn && roomOf(file) === room);
    return allowed
      .filter((place) => !shared(place))
      .filter((place) => !used.some(({ target }) => isWithin(target, place)))
      .map((place) => `${room}: ${place}`);
  });
  expect(unused).toEqual([]);
});

test('no files import each other in a circle', () => {
  const next = Map.groupBy(
    imports.filter(({ isOwn }) => isOwn),
    ({ file }) => file.replace(/\.ts$/, ''),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const { target } of next.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test('a package is imported only where it belongs', () => {
  const wrong = imports.filter(({ file, isOwn, target }) => {
    const places = isOwn ? undefined : packages[target];
    return file.includes('/') && places && !places.some((place) => isWithin(file, place));
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

/** The interfaces that a file of a layer exports, by name. */
const interfacesOf = (layer: string) =>
  files
    .filter((file) => layerOf(file) === layer)
    .flatMap((file) =>
      [...textOf(file).matchAll(/^export interface (\w+)/gm)].map(([, name]) => ({ file, name: name as string })),
    );

/**
 * The drivers: files outside the domain that implement an interface which another file of their layer declares, as a class or
 * as a function that returns it, and files that know the package of a database, a broker or a vendor.
 */
function drivers(): string[] {
  const external = ['pg', '@electric-sql/pglite', '@redis/client', 'pg-boss', '@ai-sdk/alibaba', '@ai-sdk/openai'];
  const layers = ['bus', 'db', 'files', 'providers', 'queue', 'tools'];
  return files.filter((file) => {
    if (!layers.includes(layerOf(file))) return false;
    const text = textOf(file);
    const ports = interfacesOf(layerOf(file)).filter((port) => port.file !== file);
    const implementsPort = ports.some(({ name }) =>
      new RegExp(
        `^(export )?class .* implements .*\\b${name}\\b|^export (async )?function [^{]*\\): (Promise<)?${name}\\b`,
        'm',
      ).test(text),
    );
    return implementsPort || imports.some((one) => one.file === file && external.includes(one.target));
  });
}

test('only app.ts and their own layer import drivers', () => {
  const known = drivers();
  // The rule is void when the derivation finds nothing: some that must be among them.
  expect(known).toEqual(
    expect.arrayContaining(['bus/memory.ts', 'bus/redis.ts', 'db/pglite.ts', 'files/disk.ts', 'queue/pg-boss.ts']),
  );
  const users = imports.filter(
    ({ file, isOwn, target }) => isOwn && known.includes(`${target}.ts`) && layerOf(file) !== layerOf(target),
  );
  expect([...new Set(users.map(({ file }) => file))]).toEqual(['app.ts']);
});

test('only the configuration reads the environment', () => {
  const readers = files.filter((file) => textOf(file).includes('process.env'));
  expect(readers.filter((file) => layerOf(file) !== 'config')).toEqual([]);
  expect(readers).not.toEqual([]);
});

/** The text from an opening brace to the brace that closes it. */
function braced(text: string, start: number): string {
  let depth = 0;
  for (let end = start; end < text.length; end += 1) {
    if (text[end] === '{') depth += 1;
    if (text[end] === '}') depth -= 1;
    if (depth === 0) return text.slice(start, end + 1);
  }
  return text.slice(start);
}

/** What a file's statements write into rows of runs: the data of Prisma's calls, pending writes, and raw SQL. */
function runUpdates(file: string): string[] {
  const text = textOf(file);
  const calls = [...text.matchAll(/\brun\.(?:update|upsert)\w*\(\{/g)].flatMap(({ index, 0: { length } }) => {
    const args = braced(text, index + length - 1);
    const data = /\b(?:data|update): \{/.exec(args);
    return data ? braced(args, data.index + data[0].length - 1) : args;
  });
  const pending = [...text.matchAll(/\.update\('Run',[^;]*/g)].map(([call]) => call);
  const raw = [...text.matchAll(/UPDATE "Run"[^`]*?\bSET\b([^`]*?)(?:\bFROM\b|\bWHERE\b|`)/g)].map(
    ([, set]) => set ?? '',
  );
  return [...calls, ...pending, ...raw];
}

test('only enterStatus and the claim change the status of a run', () => {
  const writesStatus = /\bstatus,?\s*\}|\bstatus: |"status" = /;
  const writers = files.filter((file) => runUpdates(file).some((data) => writesStatus.test(data)));
  expect(writers).toEqual(['domain/run/claim.ts', 'domain/run/run.ts']);
});

test('only the domain writes tables', () => {
  const models = Object.values(Prisma.ModelName);
  const clients = models.map((name) => name[0]?.toLowerCase() + name.slice(1)).join('|');
  const call = new RegExp(`\\.(?:${clients})\\.(?:create|update|delete|upsert)`);
  const raw = new RegExp(`(?:INSERT INTO|UPDATE|DELETE FROM) "(?:${models.join('|')})"`);
  const writers = files.filter((file) => call.test(textOf(file)) || raw.test(textOf(file)));
  expect(writers.filter((file) => layerOf(file) !== 'domain')).toEqual([]);
  expect(writers).not.toEqual([]);
});

test('no file is longer than 300 lines', () => {
  expect(files.filter((file) => textOf(file).split('\n').length > 300)).toEqual([]);
});
