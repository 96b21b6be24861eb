import { randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Interpreter } from './interpreter.ts';
import { type InterpreterTiming, pyodideFolder } from './start-sandbox.ts';

const fileBytes = 1_000_000;

/**
 * The path of a snapshot of a started interpreter. Interpreters start from it in a fraction of the time. It is made if the
 * folder has none for the installed versions of Pyodide and Node.
 */
export async function openSnapshot(folder: string, memoryMb: number, timing: InterpreterTiming): Promise<string> {
  const { version } = JSON.parse(await readFile(join(pyodideFolder, 'package.json'), 'utf8')) as { version: string };
  const path = join(folder, `python-${version}-${process.version}.snapshot`);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) return path;
  const maker = new Interpreter({ memoryMb, fileBytes, snapshot: null, makesSnapshot: true }, timing);
  const bytes = await maker.ready;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Another process may make the same snapshot: the last one replaces an equal file.
  const part = join(folder, randomUUID());
  await writeFile(part, bytes, { mode: 0o600 });
  await rename(part, path);
  return path;
}
