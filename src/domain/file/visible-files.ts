import type { Prisma, Run } from '../../db/generated/client.ts';

/** The files that a run can use: of its thread, of the thread's messages, of its assistant, and those that were written. */
export function runFiles({ threadId, assistantId }: Pick<Run, 'threadId' | 'assistantId'>): Prisma.FileWhereInput {
  return {
    OR: [
      { threadId },
      { inThreads: { some: { threadId } } },
      { inMessages: { some: { message: { threadId } } } },
      ...(assistantId === null ? [] : [{ inAssistants: { some: { assistantId } } }]),
    ],
  };
}
