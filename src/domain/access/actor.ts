import type { RunOverride, Scope } from '../../db/generated/client.ts';

/** Who acts. SYSTEM is the server itself: it executes runs and does chores. */
export type Actor =
  | ({ kind: 'API_KEY'; keyId: string } & Grant)
  | { kind: 'USER'; userId: string; scopes: readonly Scope[]; rights: UserRights }
  | { kind: 'SYSTEM'; scopes: readonly Scope[] };

/** What the operator has opened for an end user. */
export interface UserRights {
  /** The IDs of the assistants that the user may use; null: all of the workspace. */
  readonly assistantIds: readonly string[] | null;
  /** The resolved models that the user may choose where `overrides` has MODEL; null: all. */
  readonly models: readonly string[] | null;
  readonly overrides: readonly RunOverride[];
}

/** What a key may do. */
export interface Grant {
  scopes: readonly Scope[];
  workspaces: WorkspaceAccess;
  expiresAt: Date | null;
}

/** The IDs of the workspaces that a key may enter. */
type WorkspaceAccess = 'ALL' | readonly string[];
