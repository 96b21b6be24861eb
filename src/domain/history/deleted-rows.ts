import { Prisma } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';

/** The tables whose rows belong to a thread, and how a row of each (`r`) leads to it. */
const threadOf = {
  Thread: Prisma.sql`r."id"`,
  Message: Prisma.sql`r."threadId"`,
  Run: Prisma.sql`r."threadId"`,
  Step: Prisma.sql`(SELECT o."threadId" FROM "Run" o WHERE o."workspaceId" = r."workspaceId" AND o."id" = r."runId")`,
};

/** The name of a table whose rows belong to a thread. */
export type ThreadTable = keyof typeof threadOf;

/** Which of the rows with these IDs belong to a deleted thread, whose rows are purged in the background. */
export async function deletedRows(
  ctx: DomainContext,
  table: ThreadTable,
  ids: readonly string[],
): Promise<Set<string>> {
  const rows = await ctx.db.$queryRaw<Array<{ id: string }>>`
    SELECT r."id" FROM ${Prisma.raw(`"${table}"`)} r
    JOIN "Thread" t ON t."workspaceId" = r."workspaceId" AND t."id" = ${threadOf[table]} AND t."deletedAt" IS NOT NULL
    WHERE r."workspaceId" = ${ctx.workspaceId} AND r."id" = ANY(${[...ids]}::text[])`;
  return new Set(rows.map(({ id }) => id));
}
