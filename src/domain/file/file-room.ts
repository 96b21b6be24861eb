import type { Transaction } from '../../db/client.ts';
import type { StagingRoom } from '../../files/staging.ts';
import type { DomainContext } from '../context.ts';
import { QuotaExceededError, RateLimitedError } from '../error.ts';
import { fileLimits } from '../limits.ts';

const workspaceFull = (bytes: number) =>
  new QuotaExceededError(`A workspace holds at most ${bytes} bytes of files. Delete some files.`, null);
const userFull = (bytes: number) =>
  new QuotaExceededError(`An end user holds at most ${bytes} bytes of files. Delete some files.`, null);

/** The bytes and the number of files of a workspace, and of those that `owner` has. */
async function usedRoom(
  db: Pick<Transaction, '$queryRaw'>,
  workspaceId: string,
  owner: string | null,
): Promise<{ all: number; own: number; count: number; ownCount: number }> {
  const [sum] = await db.$queryRaw<Array<{ all: number | null; own: number | null; count: number; ownCount: number }>>`
    SELECT count(*)::int AS "count", (count(*) FILTER (WHERE "owner" = ${owner}))::int AS "ownCount",
      sum("sizeBytes")::float8 AS "all", (sum("sizeBytes") FILTER (WHERE "owner" = ${owner}))::float8 AS "own"
    FROM "File" WHERE "workspaceId" = ${workspaceId}`;
  return { all: sum?.all ?? 0, own: sum?.own ?? 0, count: sum?.count ?? 0, ownCount: sum?.ownCount ?? 0 };
}

/**
 * Throws QuotaExceededError if the workspace or the owner has no room for a file. The lock on the workspace's row serialises
 * the count with other uploads.
 */
export async function requireFileRoom(
  ctx: DomainContext,
  tx: Transaction,
  sizeBytes: number,
  owner: string | null,
): Promise<void> {
  const { workspaceBytes, userBytes } = ctx.fileLimits;
  await tx.$queryRaw`SELECT 1 FROM "Workspace" WHERE "id" = ${ctx.workspaceId} FOR NO KEY UPDATE`;
  const used = await usedRoom(tx, ctx.workspaceId, owner);
  if (used.all + sizeBytes > workspaceBytes) throw workspaceFull(workspaceBytes);
  if (used.count >= fileLimits.perWorkspace || used.ownCount >= fileLimits.perUser) {
    const limit = `${fileLimits.perWorkspace} files, and an end user ${fileLimits.perUser}`;
    throw new QuotaExceededError(`A workspace holds at most ${limit}. Delete some files.`, null);
  }
  if (owner !== null && used.own + sizeBytes > userBytes) throw userFull(userBytes);
}

/** Counts the staged bytes of the requests with files of one process, per workspace and per end user. */
export class UploadRooms {
  readonly #staged = new Map<string, number>();
  #open = 0;

  /**
   * The room of one request until `close`: what the files in the database and the staged bytes of other requests leave. Its
   * `take` throws QuotaExceededError. Throws RateLimitedError if too many requests with files are open.
   */
  async open({ db, actor, workspaceId, fileLimits: bytes }: DomainContext): Promise<StagingRoom & { close(): void }> {
    const { uploadsAtOnce } = fileLimits;
    if (this.#open >= uploadsAtOnce) {
      throw new RateLimitedError(`The server receives ${uploadsAtOnce} uploads, which is the limit. Try again later.`);
    }
    this.#open += 1;
    const close = () => {
      this.#open -= 1;
    };
    try {
      const owner = actor.kind === 'USER' ? actor.userId : null;
      const used = await usedRoom(db, workspaceId, owner);
      const ofWorkspace = this.#share(
        workspaceId,
        bytes.workspaceBytes - used.all,
        workspaceFull(bytes.workspaceBytes),
      );
      if (owner === null) return { ...ofWorkspace, close };
      const ofUser = this.#share(`${workspaceId} ${owner}`, bytes.userBytes - used.own, userFull(bytes.userBytes));
      return { ...both(ofWorkspace, ofUser), close };
    } catch (error) {
      close();
      throw error;
    }
  }

  #share(holder: string, left: number, refusal: Error): StagingRoom {
    const staged = () => this.#staged.get(holder) ?? 0;
    const take = (bytes: number) => {
      if (staged() + bytes > left) throw refusal;
      this.#staged.set(holder, staged() + bytes);
    };
    const give = (bytes: number) => {
      if (staged() > bytes) this.#staged.set(holder, staged() - bytes);
      else this.#staged.delete(holder);
    };
    return { take, give };
  }
}

/** The room that two holders have. */
function both(one: StagingRoom, other: StagingRoom): StagingRoom {
  const take = (bytes: number) => {
    one.take(bytes);
    try {
      other.take(bytes);
    } catch (error) {
      one.give(bytes);
      throw error;
    }
  };
  const give = (bytes: number) => {
    one.give(bytes);
    other.give(bytes);
  };
  return { take, give };
}
