import type { Prisma } from '../db/generated/client.ts';
import type { Passage } from '../tools/tool.ts';
import type { DomainContext } from './context.ts';

/** The passages of some files that fit a query best. */
export async function searchFiles(
  _ctx: DomainContext,
  _files: Prisma.FileWhereInput,
  _query: string,
  _maxResults: number,
): Promise<Passage[]> {
  return [];
}
