import { LRUCache } from 'lru-cache';
import { type LockFile, readOwnLockFile } from './lock-file.ts';
import type { WheelSource } from './wheel-source.ts';

/** How many bytes of wheels are held for the next interpreter that needs them. */
const heldBytes = 128_000_000;

/** How long it is remembered that a wheel could not be had. */
const failureMs = 20_000;

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

const normalized = (name: string) => name.toLowerCase().replace(/[-_.]+/g, '-');

/** Matches the names of wheels that this Pyodide can run, pure or built for it; the first group is the package. */
function runnable({ abi_version, python }: LockFile['info']): RegExp {
  const version = python.split('.').slice(0, 2).join('');
  const tags = `[^-]+-none-any|cp${version}-(?:cp${version}|abi3)-pyemscripten_${abi_version}_wasm32`;
  // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
  return new RegExp(`^([A-Za-z0-9_.]+)-[^-]+(?:-\\d[^-]*)?-(?:${tags})\\.whl$`);
}

/**
 * What can be imported beside the standard library: packages of Pyodide's distribution, by the lock file that came with it, and
 * others that run here, by a lock file of the source or the names of their wheels. The server reads them and hands them to the sandbox, which can reach nothing.
 */
export class Packages {
  readonly #source: WheelSource;
  readonly #byModule = new Map<string, string>();
  readonly #packages = new Map<string, Known>();
  readonly #held = new LRUCache<string, Wheel>({ maxSize: heldBytes, sizeCalculation: ({ bytes }) => bytes.length });
  readonly #reading = new Map<string, Promise<Wheel>>();

  private constructor(source: WheelSource) {
    this.#source = source;
  }

  /** Looks what there is. Throws what that throws. */
  static async open(source: WheelSource): Promise<Packages> {
    const packages = new Packages(source);
    const own = await readOwnLockFile();
    const files = await source.files();
    const more = await source.lockFile(own.info.abi_version);
    // Ours come last: what a lock file of the source says of their names and modules does not count.
    const entries = [...Object.entries(more?.packages ?? {}), ...Object.entries(own.packages)];
    for (const [key, { file_name: file, imports, depends, sha256 }] of entries) {
      // The rest is tests of packages, and libraries that no wheel of this release needs.
      if (!file.endsWith('.whl') || (files && !files.delete(file))) continue;
      const name = normalized(key);
      packages.#packages.set(name, { file, depends: depends.map(normalized), sha256 });
      for (const module of imports) packages.#byModule.set(module, name);
    }
    const pattern = runnable(own.info);
    for (const file of files ?? []) {
      const [, distribution] = pattern.exec(file) ?? [];
      // What Pyodide has a wheel of its own for is that one.
      if (distribution === undefined || normalized(distribution) in own.packages) continue;
      packages.#packages.set(normalized(distribution), { file, depends: [], sha256: null });
      packages.#byModule.set(distribution.replaceAll('.', '_'), normalized(distribution));
    }
    return packages;
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

  /** The wheel of a package. Throws WheelError where it cannot be had. */
  async wheel(name: string): Promise<Wheel> {
    const held = this.#held.get(name) ?? this.#reading.get(name);
    if (held) return held;
    const reading = this.#read(name);
    this.#reading.set(name, reading);
    const forget = () => void this.#reading.delete(name);
    // Whoever asks for one that could not be had need not wait for that again at once.
    reading.then(forget, () => setTimeout(forget, failureMs).unref());
    const wheel = await reading;
    this.#held.set(name, wheel);
    return wheel;
  }

  async #read(name: string): Promise<Wheel> {
    const { file, sha256 } = this.#packages.get(name) as Known;
    return { name: file, bytes: await this.#source.read(file, sha256) };
  }
}
