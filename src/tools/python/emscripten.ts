/** A file or a folder of Emscripten's file system: the fields that the sandbox uses. */
export interface FsNode {
  mode: number;
  mtime: Date | number;
  /** The bytes of a file that `contents` holds. */
  usedBytes: number;
  /** A file: its bytes with spare capacity, as a typed array of any type. A folder: its entries by name. */
  contents: ArrayBufferView | Record<string, FsNode> | null;
  mount: { type: unknown };
  /** Set for a folder that is a mount point. */
  mounted: { root: FsNode };
}

/** An open file. */
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

/** The in-memory file system. */
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
