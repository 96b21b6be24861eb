/** A file or a folder of Emscripten's file system, of which only this is used here. */
export interface FsNode {
  mode: number;
  mtime: Date | number;
  /** How much of `contents` a file fills. */
  usedBytes: number;
  /** The bytes of a file, signed or not, with room to grow, or what is in a folder by its name. */
  contents: ArrayBufferView | Record<string, FsNode> | null;
  mount: { type: unknown };
  /** For a folder that something is mounted on. */
  mounted: { root: FsNode };
}

/** A file that is open. */
interface FsStream {
  node: FsNode;
}

type Write = (
  stream: FsStream,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
  canOwn?: unknown,
) => number;
type MakeNode = (parent: FsNode, name: string, mode: number, device: number) => FsNode;

/** The file system in memory. */
export interface MemoryFs {
  ops_table: {
    file: {
      stream: { write: Write };
      node: { setattr: (node: FsNode, attributes: { size?: number }) => void };
    };
    dir: { node: { mknod: MakeNode } };
  };
}

/** Emscripten's `FS`, which has no types of its own: https://emscripten.org/docs/api_reference/Filesystem-API.html */
export interface EmscriptenFs {
  root: FsNode;
  streams: Array<FsStream | null | undefined>;
  filesystems: { MEMFS: MemoryFs; PIPEFS?: { stream_ops: { write: Write } } };
  ErrnoError: new (errno: number) => Error;
  mkdirTree(path: string): void;
  chdir(path: string): void;
  writeFile(path: string, bytes: Uint8Array): void;
  lookupPath(path: string, options?: { follow: boolean }): { node: FsNode };
  isDir(mode: number): boolean;
  isFile(mode: number): boolean;
  isMountpoint(node: FsNode): boolean;
}
