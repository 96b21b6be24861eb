import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { pyodideFolder } from './start-sandbox.ts';

/** The name of the file that says what a distribution of Pyodide has. */
export const lockFileName = 'pyodide-lock.json';

const shape = z.object({
  info: z.object({ abi_version: z.string(), python: z.string() }),
  packages: z.record(
    z.string(),
    z.object({
      // Nothing else is asked for, or kept.
      file_name: z.string().regex(/^[\w.+-]{1,200}\.(whl|zip)$/),
      imports: z.array(z.string()),
      depends: z.array(z.string()),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

/** What a distribution of Pyodide has, and for which interpreters. */
export type LockFile = z.output<typeof shape>;

/** Reads a lock file. Throws SyntaxError and ZodError where it is none. */
export const parseLockFile = (text: string): LockFile => shape.parse(JSON.parse(text));

/** That of the Pyodide that runs here. */
export const readOwnLockFile = async (): Promise<LockFile> =>
  parseLockFile(await readFile(join(pyodideFolder, lockFileName), 'utf8'));
