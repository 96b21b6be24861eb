import type { EmscriptenFs, FsNode, MemoryFs } from './emscripten.ts';
import type { WrittenFile } from './protocol.ts';

const home = '/mnt/data';
const maxDepth = 16;
const maxPath = 1000;
/** ENOSPC, in Emscripten's numbers. */
const noSpace = 51;
/** The bytes that a directory entry counts as, beyond its content. */
const entryBytes = 256;

/** The files of an interpreter: in memory, limited in total. The server sees those under /mnt/data. */
export class SandboxFiles {
  readonly #fs: EmscriptenFs;
  readonly #maxBytes: number;
  /** The state of each file at the time when the server last saw it. */
  readonly #known = new Map<string, string>();
  /** Bytes at the last count. */
  #counted = 0;
  /** Bytes charged since then. Deleted files are only noticed by a new count. */
  #since = 0;

  constructor(fs: EmscriptenFs, maxBytes: number) {
    this.#fs = fs;
    this.#maxBytes = maxBytes;
    fs.mkdirTree(home);
    this.#limit(fs.filesystems.MEMFS);
    fs.chdir(home);
  }

  /** Creates /mnt/data if a program has removed it. Returns whether it is a folder. */
  #ensureHome(): boolean {
    try {
      this.#fs.mkdirTree(home);
      return this.#fs.isDir(this.#fs.lookupPath(home, { follow: false }).node.mode);
    } catch {
      return false;
    }
  }

  /** Writes a file of the server. Throws Error when there is no room. */
  put(path: string, bytes: Uint8Array): void {
    if (!this.#ensureHome()) throw new Error(`${home} is no longer a folder`);
    const full = `${home}/${path}`;
    this.#fs.mkdirTree(full.slice(0, full.lastIndexOf('/')));
    this.#fs.writeFile(full, bytes);
    this.#known.set(full, stateOf(this.#fs.lookupPath(full).node));
  }

  /** The files that are new or changed since the last call, within the limits. `left`: the number of files beyond them. */
  changed(maxFiles: number, maxBytes: number): { files: WrittenFile[]; bytes: Uint8Array; left: number } {
    if (!this.#ensureHome()) return { files: [], bytes: new Uint8Array(), left: 0 };
    const found: Array<{ path: string; data: Uint8Array }> = [];
    let size = 0;
    let left = 0;
    for (const [path, node] of this.#walk(home, 0)) {
      const state = stateOf(node);
      if (this.#known.get(path) === state) continue;
      this.#known.set(path, state);
      if (found.length >= maxFiles || size + node.usedBytes > maxBytes || path.length > maxPath) {
        left += 1;
        continue;
      }
      size += node.usedBytes;
      found.push({ path: path.slice(home.length + 1), data: bytesOf(node).subarray(0, node.usedBytes) });
    }
    const bytes = new Uint8Array(size);
    let offset = 0;
    for (const { data } of found) {
      bytes.set(data, offset);
      offset += data.length;
    }
    return { files: found.map(({ path, data }) => ({ path, size: data.length })), bytes, left };
  }

  /** Regular files: no links and no devices. */
  *#walk(folder: string, depth: number): Generator<[path: string, node: FsNode]> {
    if (depth > maxDepth) return;
    const { node } = this.#fs.lookupPath(folder, { follow: false });
    for (const [name, child] of Object.entries(entriesOf(node))) {
      const path = `${folder}/${name}`;
      if (this.#fs.isDir(child.mode)) {
        if (!this.#fs.isMountpoint(child)) yield* this.#walk(path, depth + 1);
      } else if (this.#fs.isFile(child.mode)) yield [path, child];
    }
  }

  /** Counts what files allocate: their content is outside the heaps that process flags limit. */
  #limit(memory: MemoryFs): void {
    const { stream, node } = memory.ops_table.file;
    const { write } = stream;
    stream.write = (open, buffer, offset, length, position, canOwn) => {
      const capacity = bytesOf(open.node).length;
      const growth = position + length - capacity;
      // Emscripten grows a file by at least an eighth.
      if (growth > 0) this.#charge(Math.max(growth, capacity >> 3));
      return write(open, buffer, offset, length, position, canOwn);
    };
    const { setattr } = node;
    node.setattr = (file, attributes) => {
      const growth = (attributes.size ?? 0) - bytesOf(file).length;
      if (growth > 0) this.#charge(growth);
      return setattr(file, attributes);
    };
    const { mknod } = memory.ops_table.dir.node;
    memory.ops_table.dir.node.mknod = (...given) => {
      this.#charge(entryBytes);
      return mknod(...given);
    };
    this.#limitPipes();
  }

  /** A pipe without a reader grows as well. */
  #limitPipes(): void {
    const { filesystems } = this.#fs;
    const operations = filesystems.PIPEFS?.stream_ops;
    if (!operations) return;
    const { write } = operations;
    operations.write = (...given) => {
      this.#charge(given[3]);
      return write(...given);
    };
  }

  /** Charges bytes. Throws ENOSPC beyond the limit. The files are counted again only when the limit may be reached. */
  #charge(bytes: number): void {
    this.#since += bytes;
    if (this.#counted + this.#since <= this.#maxBytes) return;
    this.#counted = this.#used();
    this.#since = bytes;
    if (this.#counted + bytes <= this.#maxBytes) return;
    this.#since = 0;
    throw new this.#fs.ErrnoError(noSpace);
  }

  #used(): number {
    const seen = new Set<FsNode>();
    const nodes = this.#fs.streams.flatMap((stream) => stream?.node ?? []);
    const open = nodes.filter(({ mode }) => this.#fs.isFile(mode));
    return [this.#fs.root, ...open].reduce((sum, node) => sum + this.#sizeOf(node, seen), 0);
  }

  #sizeOf(given: FsNode, seen: Set<FsNode>): number {
    if (seen.has(given)) return 0;
    seen.add(given);
    if (this.#fs.isFile(given.mode)) return bytesOf(given).length;
    if (!this.#fs.isDir(given.mode)) return 0;
    const node = this.#fs.isMountpoint(given) ? given.mounted.root : given;
    if (node.mount.type !== this.#fs.filesystems.MEMFS) return 0;
    return Object.values(entriesOf(node)).reduce((sum, child) => sum + entryBytes + this.#sizeOf(child, seen), 0);
  }
}

const none = new Uint8Array();
/** The memory of a file: its bytes and spare capacity. `contents` may be a typed array of any type. */
const bytesOf = ({ contents }: FsNode) =>
  ArrayBuffer.isView(contents) ? new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength) : none;
const entriesOf = ({ contents }: FsNode) => (contents ?? {}) as Record<string, FsNode>;

const stateOf = (node: FsNode) => `${node.usedBytes} ${Number(node.mtime)}`;
