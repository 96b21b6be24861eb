import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { PGlite } from '@electric-sql/pglite';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { createPglite } from './create-pglite.ts';

const prismaFolder = new URL('../../prisma/', import.meta.url);
const migrationsFolder = new URL('migrations/', prismaFolder);
/** No table is excluded by name: Prisma migrates only the schema of the connection. */
const filters = { externalTables: [], externalEnums: [] };

/** The Prisma schema engine compiled to WebAssembly, as `@prisma/schema-engine-wasm` exports it. */
type SchemaEngine = import('@prisma/schema-engine-wasm').SchemaEngine;

/** Reads `prisma/**\/*.prisma`: one entry for each file, sorted by path. */
async function readDatamodel(): Promise<Array<{ path: string; content: string }>> {
  const names = (await readdir(prismaFolder, { recursive: true })).filter((name) => name.endsWith('.prisma')).sort();
  return Promise.all(
    names.map(async (path) => ({ path, content: await readFile(new URL(path, prismaFolder), 'utf8') })),
  );
}

/** Reads `prisma/migrations`, in the layout of Prisma's command line: `<time>_<name>/migration.sql`. */
export async function readMigrations() {
  const entries = await readdir(migrationsFolder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return Promise.all(
    names.map(async (name) => ({
      name,
      script: await readFile(new URL(`${name}/migration.sql`, migrationsFolder), 'utf8'),
    })),
  );
}

async function migrationList() {
  const migrations = await readMigrations();
  return {
    baseDir: migrationsFolder.pathname,
    lockfile: { path: './migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, script }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value: script } },
    })),
  };
}

let loadedGlue: Promise<typeof import('@prisma/schema-engine-wasm/schema_engine_bg')> | undefined;

/**
 * Binds the `.wasm` file to its glue code, once for each process: the glue holds the instance in module state. The package
 * is made for bundlers, which would do this.
 */
function loadGlue() {
  loadedGlue ??= (async () => {
    const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
    const gluePath = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
    const { instance } = await WebAssembly.instantiate(await readFile(gluePath.replace(/\.js$/, '.wasm')), {
      './schema_engine_bg.js': glue as unknown as WebAssembly.ModuleImports,
    });
    glue.__wbg_set_wasm(instance.exports);
    (instance.exports.__wbindgen_start as () => void)();
    return glue;
  })();
  return loadedGlue;
}

/** Opens the schema engine over a driver adapter for the duration of `use`. */
async function withSchemaEngine<T>(
  adapter: SqlMigrationAwareDriverAdapterFactory,
  use: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const glue = await loadGlue();
  const datamodels = (await readDatamodel()).map(({ path, content }): [string, string] => [path, content]);
  const engine = await glue.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory(adapter));
  try {
    return await use(engine);
  } finally {
    engine.free();
  }
}

/**
 * Applies the missing migrations and records them in `_prisma_migrations`. Returns their names. Throws the engine's error
 * when one fails or when the history differs.
 */
export async function applyMigrations(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<string[]> {
  const migrationsList = await migrationList();
  const { appliedMigrationNames } = await withSchemaEngine(adapter, (engine) =>
    engine.applyMigrations({ migrationsList, filters }),
  );
  return appliedMigrationNames;
}

/** The SQL of the migration that is missing between the migrations and the schema files; a comment when none is missing. */
export async function diffMigrationsAgainstSchema(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<string> {
  const from = { tag: 'migrations' as const, ...(await migrationList()) };
  const to = { tag: 'schemaDatamodel' as const, files: await readDatamodel() };
  const { stdout } = await withSchemaEngine(adapter, (engine) =>
    engine.diff({ from, to, script: true, exitCode: null, filters }),
  );
  return stdout ?? '';
}

/**
 * The driver adapter of PGlite for migrations. The published adapter does not await a script, so that it would record a
 * failed migration as applied.
 */
export function migrationAdapter(pglite: PGlite): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPGlite(pglite) as unknown as SqlMigrationAwareDriverAdapterFactory;
  const awaited = async (connect: () => ReturnType<typeof factory.connect>, client?: PGlite) => {
    const adapter = await connect();
    const target = client ?? (adapter as unknown as { client: PGlite }).client;
    adapter.executeScript = async (script) => {
      await target.exec(script);
    };
    return adapter;
  };
  return {
    provider: 'postgres',
    adapterName: factory.adapterName,
    connect: () => awaited(() => factory.connect(), pglite),
    connectToShadowDb: async () => {
      const shadow = await createPglite();
      const adapter = await awaited(
        () => new PrismaPGlite(shadow).connect() as ReturnType<typeof factory.connect>,
        shadow,
      );
      adapter.dispose = () => shadow.close();
      return adapter;
    },
  };
}
