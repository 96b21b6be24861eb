import type { Scope } from '../../db/generated/client.ts';

/** Who acts. SYSTEM is the server itself: it executes runs and does chores. */
export type Actor =
  | ({ kind: 'API_KEY'; keyId: string } & Grant)
  | { kind: 'USER'; userId: string; scopes: readonly Scope[] }
  | { kind: 'SYSTEM'; scopes: readonly Scope[] };

/** What a key may do. */
export interface Grant {
  scopes: readonly Scope[];
  workspaces: WorkspaceAccess;
  expiresAt: Date | null;
}

/** The IDs of the workspaces that a key may enter. */
type WorkspaceAccess = 'ALL' | readonly string[];
