// Generates the Prisma client and the Pothos types into src/db/generated; runs after every install (postinstall).
// Plain JavaScript, so that it runs on every Node.js that npm runs on.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'src/db/generated');
const stampFile = join(output, '.stamp');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** A hash of everything that the generated files depend on: the schema and the versions of the two generators. */
function stampOf() {
  const hash = createHash('sha256');
  const models = readdirSync(join(root, 'prisma/models')).sort();
  for (const file of ['schema.prisma', ...models.map((name) => `models/${name}`)]) {
    hash.update(`${file}\n${readFileSync(join(root, 'prisma', file), 'utf8')}\n`);
  }
  for (const name of ['@prisma/client', '@pothos/plugin-prisma']) {
    hash.update(`${name}@${readJson(join(root, 'node_modules', name, 'package.json')).version}\n`);
  }
  return hash.digest('hex');
}

/** Runs a command to its end. Returns whether it succeeded; otherwise prints what it wrote. */
function run(command, args, options) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (result.status === 0) return true;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? result.error ?? ''}`);
  return false;
}

/**
 * Runs `prisma generate` with the CLI in `folder`. The CLI requires the path of the native schema engine but does not
 * run it here: the path of any existing file keeps it from downloading one, so this works without internet.
 */
function generateWith(folder) {
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, ...process.env, PRISMA_HIDE_UPDATE_MESSAGE: '1' };
  // The CLI looks for the generator of the Pothos types on the PATH.
  env.PATH = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  return run(process.execPath, [join(folder, 'build/index.js'), 'generate', '--no-hints'], { cwd: root, env });
}

/**
 * Installs the Prisma CLI, a development dependency, into a temporary folder, generates, and deletes the folder.
 * The lock file of the project decides the versions and the hashes.
 */
function generateWithTemporaryCli() {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-graph-prisma-'));
  try {
    const dependencies = { 'prisma-cli': readJson(join(root, 'package.json')).devDependencies['prisma-cli'] };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
    const lock = readJson(join(root, 'package-lock.json'));
    lock.packages[''] = { dependencies };
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock));
    if (existsSync(join(root, '.npmrc'))) copyFileSync(join(root, '.npmrc'), join(folder, '.npmrc'));
    // The outer npm hands its options to its scripts; those about what to install do not apply here.
    const outer = /^npm_config_(omit|include|only|production|local_prefix|global|dry_run)$/i;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)));
    const npm = process.env.npm_execpath;
    const [command, ...first] = npm && basename(npm) === 'npm-cli.js' ? [process.execPath, npm] : ['npm'];
    const options = [
      '--ignore-scripts',
      '--omit=optional',
      '--omit=peer',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ];
    return (
      run(command, [...first, 'install', ...options], {
        cwd: folder,
        env,
        shell: process.platform === 'win32' && command === 'npm',
      }) && generateWith(join(folder, 'node_modules/prisma-cli'))
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const stamp = stampOf();
if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) process.exit(0);

const installed = join(root, 'node_modules/prisma-cli');
if (!(existsSync(installed) ? generateWith(installed) : generateWithTemporaryCli())) {
  console.error('The database client was not generated. Run: npm install && npm prune --omit=dev');
  process.exit(1);
}
writeFileSync(stampFile, stamp);
