import { TypeID, typeid } from 'typeid-js';

/** The prefixes of ids (https://github.com/jetify-com/typeid). Rows, the graph and the log use the same id. */
const idPrefixes = {
  Assistant: 'asst',
  Thread: 'thread',
  Message: 'msg',
  Run: 'run',
  Step: 'step',
  ToolCall: 'call',
  File: 'file',
  Workspace: 'ws',
  ApiKey: 'key',
  Plugin: 'plugin',
} as const;

/** The kinds of things that have an id. */
export type IdKind = keyof typeof idPrefixes;

const kindByPrefix = new Map(Object.entries(idPrefixes).map(([kind, prefix]) => [prefix as string, kind as IdKind]));

/** A new id: the prefix of the kind and a UUIDv7, so that ids sort by creation time. */
export function newId(kind: IdKind): string {
  return typeid(idPrefixes[kind]).toString();
}

/** The kind of an id; null for a malformed id. */
export function idKind(id: string): IdKind | null {
  const kind = kindByPrefix.get(id.slice(0, id.lastIndexOf('_')));
  if (!kind) return null;
  try {
    TypeID.fromString(id, idPrefixes[kind]);
    return kind;
  } catch {
    return null;
  }
}

/** Whether a text is a well-formed id of the kind. Callers treat a malformed id like an unknown one. */
export function isId(kind: IdKind, id: string): boolean {
  return idKind(id) === kind;
}

/** A new id of a request, which its log lines carry. */
export function newRequestId(): string {
  return typeid('req').toString();
}
