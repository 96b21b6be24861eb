import { TypeID, typeid } from 'typeid-js';

/** The prefix of every kind of id (https://github.com/jetify-com/typeid): one id in the row, the graph and the log. */
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

/** What an id can name. */
export type IdKind = keyof typeof idPrefixes;

const kindByPrefix = new Map(Object.entries(idPrefixes).map(([kind, prefix]) => [prefix as string, kind as IdKind]));

/** A new id of that kind: the prefix and a UUIDv7, so that ids sort by the time they were made. */
export function newId(kind: IdKind): string {
  return typeid(idPrefixes[kind]).toString();
}

/** What the id names, or null when it is not an id of ours. */
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

/** Whether the text is a well-formed id of that kind. A malformed id is answered like an unknown one. */
export function isId(kind: IdKind, id: string): boolean {
  return idKind(id) === kind;
}

/** A new id for one request, to find it in the log. */
export function newRequestId(): string {
  return typeid('req').toString();
}
