import { LRUCache } from 'lru-cache';
import { type LockFile, readOwnLockFile } from './lock-file.ts';
import type { WheelSource } from './wheel-source.ts';

/** Bytes of wheels that are cached in memory. */
const maxCachedBytes = 128_000_000;

/** How long the failure to read a wheel is cached. */
const failureMs = 20_000;

/** A wheel. */
export interface Wheel {
  /** The name of its file. */
  name: string;
  bytes: Uint8Array;
}

/** A package that can be installed. */
interface Available {
  file: string;
  depends: string[];
  sha256: string | null;
}

const normalized = (name: string) => name.toLowerCase().replace(/[-_.]+/g, '-');

/** Matches the file names of wheels that this Pyodide can run: pure Python or built for it. Group 1 is the package. */
function runnableWheels({ abi_version, python }: LockFile['info']): RegExp {
  const version = python.split('.').slice(0, 2).join('');
  const tags = `[^-]+-none-any|cp${version}-(?:cp${version}|abi3)-pyemscripten_${abi_version}_wasm32`;
  // https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
  return new RegExp(`^([A-Za-z0-9_.]+)-[^-]+(?:-\\d[^-]*)?-(?:${tags})\\.whl$`);
}

/**
 * The packages that programs can import beyond the standard library: those of Pyodide's distribution, from its own lock file,
 * and others, from a lock file of the source or from the names of its wheels. The server reads them and passes them to
 * the sandbox, which has no network.
 */
export class Packages {
  readonly #source: WheelSource;
  readonly #byModule = new Map<string, string>();
  readonly #packages = new Map<string, Available>();
  readonly #cached = new LRUCache<string, Wheel>({
    maxSize: maxCachedBytes,
    sizeCalculation: ({ bytes }) => bytes.length,
  });
  readonly #reading = new Map<string, Promise<Wheel>>();

  private constructor(source: WheelSource) {
    this.#source = source;
  }

  /** Lists the packages of a source. Throws the errors of the source. */
  static async open(source: WheelSource): Promise<Packages> {
    const packages = new Packages(source);
    const own = await readOwnLockFile();
    const files = await source.files();
    const more = await source.lockFile(own.info.abi_version);
    // Pyodide's own entries come last: a lock file of the source cannot replace its packages and modules.
    const entries = [...Object.entries(more?.packages ?? {}), ...Object.entries(own.packages)];
    for (const [key, { file_name: file, imports, depends, sha256 }] of entries) {
      // Other entries are tests of packages, and libraries that no wheel of this release needs.
      if (!file.endsWith('.whl') || (files && !files.delete(file))) continue;
      const name = normalized(key);
      packages.#packages.set(name, { file, depends: depends.map(normalized), sha256 });
      for (const module of imports) packages.#byModule.set(module, name);
    }
    const pattern = runnableWheels(own.info);
    for (const file of files ?? []) {
      const [, distribution] = pattern.exec(file) ?? [];
      // A package of Pyodide's own is only read from the wheel that its lock file names.
      if (distribution === undefined || normalized(distribution) in own.packages) continue;
      packages.#packages.set(normalized(distribution), { file, depends: [], sha256: null });
      packages.#byModule.set(distribution.replaceAll('.', '_'), normalized(distribution));
    }
    return packages;
  }

  /** The packages of modules, dependencies first. Unknown modules are left out. */
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

  /** The wheel of a package. Throws WheelError. */
  async wheel(name: string): Promise<Wheel> {
    const known = this.#cached.get(name) ?? this.#reading.get(name);
    if (known) return known;
    const reading = this.#read(name);
    this.#reading.set(name, reading);
    const forget = () => void this.#reading.delete(name);
    // A failure is cached for a while: the next program does not wait for it again.
    reading.then(forget, () => setTimeout(forget, failureMs).unref());
    const wheel = await reading;
    this.#cached.set(name, wheel);
    return wheel;
  }

  async #read(name: string): Promise<Wheel> {
    const { file, sha256 } = this.#packages.get(name) as Available;
    return { name: file, bytes: await this.#source.read(file, sha256) };
  }
}
