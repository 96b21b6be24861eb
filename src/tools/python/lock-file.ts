import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { pyodideFolder } from './start-sandbox.ts';

/** The name of the file that lists the packages of a Pyodide distribution. */
export const lockFileName = 'pyodide-lock.json';

const shape = z.object({
  info: z.object({ abi_version: z.string(), python: z.string() }),
  packages: z.record(
    z.string(),
    z.object({
      // The name becomes part of a URL and of a path.
      file_name: z.string().regex(/^[\w.+-]{1,200}\.(whl|zip)$/),
      imports: z.array(z.string()),
      depends: z.array(z.string()),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** The packages of a Pyodide distribution, and the interpreters that they are for. */
export type LockFile = z.output<typeof shape>;

/** Parses a lock file. Throws SyntaxError and ZodError. */
export const parseLockFile = (text: string): LockFile => shape.parse(JSON.parse(text));

/** The lock file of the installed Pyodide. */
export const readOwnLockFile = async (): Promise<LockFile> =>
  parseLockFile(await readFile(join(pyodideFolder, lockFileName), 'utf8'));
