import type { Scope } from '../../db/generated/client.ts';

/** Who is asking. SYSTEM is the server itself: a run that executes, a sweep. */
export type Actor =
  | ({ kind: 'API_KEY'; keyId: string } & Grant)
  | { kind: 'USER'; userId: string; scopes: readonly Scope[] }
  | { kind: 'SYSTEM'; scopes: readonly Scope[] };

/** What a credential can do, to compare two of them. */
export interface Grant {
  scopes: readonly Scope[];
  /** The workspaces that may be entered. */
  workspaces: WorkspaceAccess;
  expiresAt: Date | null;
}

/** The workspaces that a key may enter. */
type WorkspaceAccess = 'ALL' | readonly string[];
