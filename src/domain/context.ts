import { LRUCache } from 'lru-cache';
import type { Bus } from '../bus/bus.ts';
import type { Timing } from '../config/timing.ts';
import type { Availability } from '../db/availability.ts';
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

/** The storage limits that the operator sets, in bytes. */
interface FileLimits {
  /** The size of one file. */
  uploadBytes: number;
  /** The size of all files of a workspace. */
  workspaceBytes: number;
  /** The size of all files of an end user. */
  userBytes: number;
}

/** The collaborators that all requests and jobs of a process share. */
export interface Services {
  /** The client over all workspaces. Each use states why it reads beyond one workspace. */
  readonly database: Database;
  /** Whether the database answers. */
  readonly availability: Availability;
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
  /** null: passages are searched by their words only. */
  readonly embedder: Embedder | null;
  readonly log: Logger;
  readonly timing: Timing;
}

/** The first argument of every domain function: the actor, its workspace, and the client bound to that workspace. */
export interface DomainContext extends Services {
  readonly actor: Actor;
  readonly workspaceId: string;
  readonly db: WorkspaceDatabase;
}

/** Bound clients are cached because binding costs far more than a look-up. */
const maxBoundClients = 1000;
const boundClients = new WeakMap<Database, LRUCache<string, WorkspaceDatabase>>();

function boundClient(database: Database, workspaceId: string): WorkspaceDatabase {
  const clients = boundClients.get(database) ?? new LRUCache<string, WorkspaceDatabase>({ max: maxBoundClients });
  boundClients.set(database, clients);
  const client = clients.get(workspaceId) ?? bindToWorkspace(database, workspaceId);
  clients.set(workspaceId, client);
  return client;
}

/** The context of an actor in a workspace. */
export function domainContext(services: Services, workspaceId: string, actor: Actor): DomainContext {
  return { ...services, workspaceId, actor, db: boundClient(services.database, workspaceId) };
}

/** The context of the server itself in a workspace. */
export function systemContext(services: Services, workspaceId: string): DomainContext {
  return domainContext(services, workspaceId, { kind: 'SYSTEM', scopes: [] });
}
