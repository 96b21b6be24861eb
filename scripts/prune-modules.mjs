// node scripts/prune-modules.mjs [folder]: deletes the files of an installed node_modules that a running server never
// reads: source maps, types, and builds for other databases, browsers and module systems. For container images; run it
// after `npm ci --omit=dev` or `npm prune --omit=dev`. `npm ci` restores everything.
import { existsSync, globSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** What to delete, per package; paths are globs below the package's folder. `except` paths are kept. */
const unused = {
  '@prisma/client': {
    // The server speaks to PostgreSQL only, with the compiler that the generated client imports.
    paths: ['runtime/query_compiler_*', 'runtime/wasm-compiler-edge.*', 'generator-build', 'scripts'],
    except: [
      'runtime/query_compiler_fast_bg.postgresql.mjs',
      'runtime/query_compiler_fast_bg.postgresql.wasm-base64.mjs',
    ],
  },
  'pdfjs-dist': {
    // Text is read with the legacy build for Node.js, its character maps and fonts.
    paths: [
      'build',
      'image_decoders',
      'web',
      'types',
      'legacy/web',
      'legacy/image_decoders',
      'legacy/build/*.min.mjs',
      'legacy/build/pdf.sandbox.mjs',
    ],
  },
  'gpt-tokenizer': { paths: ['cjs', 'src', 'data'] },
  '@graphql-yoga/render-graphiql': { paths: ['cjs', 'typings'] },
  '@electric-sql/pglite': { paths: ['dist/*.cjs', 'dist/*/*.cjs'] },
  pyodide: { paths: ['*.html'] },
  '@napi-rs/canvas': { paths: ['.'] },
};

/** Files that Node.js never loads, whatever the package. It does not strip types below node_modules. */
const unusedFile = /\.(?:d\.[cm]?ts|[cm]?ts|tsx|tsbuildinfo|[cm]?js\.map|d\.[cm]?ts\.map|css\.map|flow)$/i;

const modules = resolve(process.argv[2] ?? 'node_modules');
if (!existsSync(join(modules, 'graphql'))) {
  console.error(`${modules} is not the installed node_modules of this project.`);
  process.exit(1);
}

for (const [name, { paths, except = [] }] of Object.entries(unused)) {
  const folder = join(modules, name);
  if (!existsSync(folder)) continue;
  const kept = new Set(except.map((path) => join(folder, path)));
  for (const path of kept) {
    if (!existsSync(path)) throw new Error(`${path} does not exist: this list no longer fits the installed version.`);
  }
  for (const path of globSync(paths, { cwd: folder })) {
    const full = join(folder, path);
    if (!kept.has(full)) rmSync(full, { recursive: true });
  }
}

for (const entry of readdirSync(modules, { recursive: true })) {
  const path = join(modules, entry);
  if (unusedFile.test(entry) && lstatSync(path, { throwIfNoEntry: false })?.isFile()) rmSync(path);
}
