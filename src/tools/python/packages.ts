import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { pyodideFolder } from './start-sandbox.ts';

/** A wheel: its name, and what it holds. */
export interface Wheel {
  name: string;
  bytes: Uint8Array;
}

interface Known {
  file: string;
  depends: string[];
  sha256: string | null;
}

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      file_name: z.string(),
      imports: z.array(z.string()),
      depends: z.array(z.string()),
      sha256: z.string(),
      package_type: z.string().optional(),
    }),
  ),
});

const normalized = (name: string) => name.toLowerCase().replace(/[-_.]+/g, '-');

/**
 * The wheels of a folder of the operator's: those of Pyodide's distribution, by the lock file that came with it, and others
 * that run anywhere, by their names. The server reads them and hands them to the sandbox, which reads no folder.
 */
export class WheelFolder {
  readonly #folder: string;
  readonly #byModule = new Map<string, string>();
  readonly #packages = new Map<string, Known>();
  readonly #kept = new Map<string, Promise<Wheel>>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what is in the folder. Throws what reading it throws. */
  static async open(folder: string): Promise<WheelFolder> {
    const wheels = new WheelFolder(folder);
    const files = new Set(await readdir(folder));
    const lock = lockFile.parse(JSON.parse(await readFile(join(pyodideFolder, 'pyodide-lock.json'), 'utf8')));
    for (const [key, { file_name: file, imports, depends, sha256 }] of Object.entries(lock.packages)) {
      if (!files.delete(file)) continue;
      const name = normalized(key);
      wheels.#packages.set(name, { file, depends: depends.map(normalized), sha256 });
      for (const module of imports) wheels.#byModule.set(module, name);
    }
    for (const file of files) {
      // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
      const [, distribution] = /^([A-Za-z0-9_.]+)-[^-]+(?:-\d[^-]*)?-[^-]+-[^-]+-any\.whl$/.exec(file) ?? [];
      // What Pyodide has a wheel of its own for is that one.
      if (distribution === undefined || normalized(distribution) in lock.packages) continue;
      wheels.#packages.set(normalized(distribution), { file, depends: [], sha256: null });
      wheels.#byModule.set(distribution.replaceAll('.', '_'), normalized(distribution));
    }
    return wheels;
  }

  /** The names of packages that modules come from, those first that others need; modules from nowhere are left out. */
  packagesFor(modules: readonly string[]): string[] {
    const ordered = new Set<string>();
    const add = (name: string, above: readonly string[]) => {
      const known = this.#packages.get(name);
      if (!known || ordered.has(name) || above.includes(name)) return;
      for (const other of known.depends) add(other, [...above, name]);
      ordered.add(name);
    };
    for (const module of modules) add(this.#byModule.get(module) ?? '', []);
    return [...ordered];
  }

  /** The wheel of a package. Throws when it is not the one that the lock file names. */
  wheel(name: string): Promise<Wheel> {
    const kept = this.#kept.get(name) ?? this.#read(name);
    this.#kept.set(name, kept);
    kept.catch(() => this.#kept.delete(name));
    return kept;
  }

  async #read(name: string): Promise<Wheel> {
    const { file, sha256 } = this.#packages.get(name) as Known;
    const bytes = await readFile(join(this.#folder, file));
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== null && hash !== sha256) throw new Error(`${file} is not the wheel that Pyodide's lock file names`);
    return { name: file, bytes };
  }
}
