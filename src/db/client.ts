import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { type Prisma, PrismaClient } from './generated/client.ts';

/** The client over the whole database, for the few places that read or write across workspaces. Each one states why. */
export type Database = PrismaClient;
/** The client of a request or a job, limited to one workspace. */
export type WorkspaceDatabase = ReturnType<typeof bindToWorkspace>;
/** The client inside a transaction of a `WorkspaceDatabase`. */
export type Transaction = Parameters<Parameters<WorkspaceDatabase['$transaction']>[0]>[0];

/** Receives the SQL of each statement that a client sends. */
export type StatementListener = (sql: string) => void;

/**
 * Opens the Prisma client over a driver adapter. Waiting for a connection and a transaction may each take up to 15 s.
 * `onStatement` slows down every statement: it is for tests and for debugging.
 */
export function openClient(adapter: SqlDriverAdapterFactory, onStatement?: StatementListener): Database {
  const transactionOptions = { maxWait: 15_000, timeout: 15_000 };
  if (!onStatement) return new PrismaClient({ adapter, transactionOptions });
  const client = new PrismaClient({ adapter, transactionOptions, log: [{ emit: 'event', level: 'query' }] });
  client.$on('query', ({ query }) => onStatement(query));
  return client as unknown as Database;
}

/** A programming error: a statement that is not limited to the workspace of its client. */
export class UnscopedQueryError extends Error {
  constructor(model: string, operation: string) {
    super(`${model}.${operation} does not name the workspace of its client`);
  }
}

const filtering = new Set<string>([
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
  'updateMany',
  'updateManyAndReturn',
  'deleteMany',
] satisfies Prisma.PrismaAction[] | string[]);

/** Whether a unique `where` or a row to write names the workspace, directly or in its composite key. */
function names(value: unknown, column: string, workspaceId: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  if (record[column] !== undefined) return record[column] === workspaceId;
  return Object.entries(record).some(
    ([key, inner]) => key.startsWith('workspaceId_') && names(inner, 'workspaceId', workspaceId),
  );
}

/**
 * Limits a client to one workspace. Statements with a filter get the workspace added. Statements that address a unique row
 * or create one must name the workspace themselves; others throw UnscopedQueryError before they reach the database.
 * Raw SQL is not covered: it occurs only in `domain/` and names the workspace in its own WHERE.
 */
export function bindToWorkspace(database: Database, workspaceId: string) {
  return database.$extends({
    name: 'workspace',
    query: {
      $allModels: {
        $allOperations({ model, operation, args, query }) {
          const column = model === 'Workspace' ? 'id' : 'workspaceId';
          const given = args as { where?: Record<string, unknown>; data?: unknown; create?: unknown };
          if (filtering.has(operation)) {
            const named = given.where?.[column];
            if (named !== undefined && named !== workspaceId) throw new UnscopedQueryError(model, operation);
            return query({ ...args, where: { ...given.where, [column]: workspaceId } } as typeof args);
          }
          const rows = [given.where, given.create, operation.startsWith('create') ? given.data : undefined].flat();
          const scoped = rows.filter((row) => row !== undefined);
          if (scoped.length === 0 || !scoped.every((row) => names(row, column, workspaceId))) {
            throw new UnscopedQueryError(model, operation);
          }
          return query(args);
        },
      },
    },
  });
}
