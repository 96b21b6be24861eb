import type { Bus } from '../bus/bus.ts';
import type { Timing } from '../config/timing.ts';
import { bindToWorkspace, type Database, type WorkspaceDatabase } from '../db/client.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Staging } from '../files/staging.ts';
import type { Logger } from '../log.ts';
import type { Embedder } from '../providers/embedder.ts';
import type { ModelCatalog } from '../providers/model-catalog.ts';
import type { Queue } from '../queue/queue.ts';
import type { Vault } from '../secret/vault.ts';
import type { PluginReader } from '../tools/plugin-source.ts';
import type { ToolFactory } from '../tools/tool-factory.ts';
import type { Actor } from './access/actor.ts';
import type { SigningKeys } from './access/signing-key.ts';
import type { FileLinks } from './file/file-link.ts';
import type { ThreadFeeds } from './follow/thread-feeds.ts';

/** How much of files there may be, in bytes. */
interface FileLimits {
  /** In one file. */
  uploadBytes: number;
  /** In all files of a workspace. */
  workspaceBytes: number;
  /** In all files of an end user. */
  userBytes: number;
}

/** What the whole process shares. */
export interface Services {
  /** Over all workspaces; each use says why it looks beyond one. */
  readonly database: Database;
  readonly bus: Bus;
  readonly queue: Queue;
  readonly models: ModelCatalog;
  readonly feeds: ThreadFeeds;
  readonly vault: Vault;
  readonly signingKeys: SigningKeys;
  readonly files: FileStore;
  readonly staging: Staging;
  readonly fileLinks: FileLinks;
  readonly fileLimits: FileLimits;
  readonly tools: ToolFactory;
  readonly plugins: PluginReader;
  /** null: passages of files are compared by their words alone. */
  readonly embedder: Embedder | null;
  readonly log: Logger;
  readonly timing: Timing;
}

/** What every domain function takes first: who asks, in which workspace, and the client that cannot see beyond it. */
export interface DomainContext extends Services {
  readonly actor: Actor;
  readonly workspaceId: string;
  readonly db: WorkspaceDatabase;
}

const boundClients = new WeakMap<Database, Map<string, WorkspaceDatabase>>();
/** Binding costs far more than a look-up; beyond this many the oldest is bound anew when it is needed. */
const maxBoundClients = 1000;

function boundClient(database: Database, workspaceId: string): WorkspaceDatabase {
  const clients = boundClients.get(database) ?? new Map<string, WorkspaceDatabase>();
  boundClients.set(database, clients);
  const client = clients.get(workspaceId) ?? bindToWorkspace(database, workspaceId);
  if (clients.size >= maxBoundClients) clients.delete(clients.keys().next().value as string);
  clients.set(workspaceId, client);
  return client;
}

/** The context of an actor in a workspace. */
export function domainContext(services: Services, workspaceId: string, actor: Actor): DomainContext {
  return { ...services, workspaceId, actor, db: boundClient(services.database, workspaceId) };
}

/** The context in which the server works for itself. */
export function systemContext(services: Services, workspaceId: string): DomainContext {
  return domainContext(services, workspaceId, { kind: 'SYSTEM', scopes: [] });
}
