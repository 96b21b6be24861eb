import type { Prisma, Run } from '../../db/generated/client.ts';

/** The files that a run can use: those of its thread, including what runs wrote, of the messages and of the assistant. */
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
