import type { Prisma, Run } from '../../db/generated/client.ts';

/** The files that a run can use: those of its thread, of the thread's messages and of its assistant, and those that runs wrote. */
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
