import type { Prisma, Run, StepRecording } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { eventTypesOfSteps } from '../log/event-kinds.ts';
import type { ThreadChange } from '../log/thread-change.ts';

/** The number of runs whose steps one statement deletes. */
const batchSize = 200;

/**
 * Removes the step contents that the workspace does not record, when a run ends. Returns columns of the run to update.
 */
export async function redactSteps(
  { timing }: Pick<Services, 'timing'>,
  change: ThreadChange,
  run: { id: string; recordSteps: StepRecording },
): Promise<Pick<Prisma.RunUncheckedUpdateManyInput, 'stepsUntil'>> {
  if (run.recordSteps === 'FULL') return {};
  await change.flush();
  await change.tx.toolCall.updateMany({
    where: { step: { runId: run.id } },
    data: { arguments: '', output: null },
  });
  // The error message may quote the arguments.
  await change.tx.toolCall.updateMany({
    where: { step: { runId: run.id }, errorCode: 'invalid_tool_call' },
    data: { errorMessage: 'The call is invalid.' },
  });
  await change.tx.fileSearchResult.deleteMany({ where: { toolCall: { step: { runId: run.id } } } });
  await change.tx.step.updateMany({ where: { runId: run.id }, data: { reasoning: '' } });
  return run.recordSteps === 'NONE' ? { stepsUntil: new Date(change.now.getTime() + timing.run.stepRetentionMs) } : {};
}

/**
 * Deletes the steps, and their events, of runs whose `stepsUntil` has passed. Works on all workspaces. Stops when the
 * signal aborts.
 */
export async function deleteUnrecordedSteps({ database }: Services, signal: AbortSignal): Promise<void> {
  for (let count = batchSize; count === batchSize && !signal.aborted; ) {
    const runs = await database.$queryRaw<Array<Pick<Run, 'id'>>>`
      WITH ended AS (
        -- Locks the thread first, as every change and deletion of its rows does.
        SELECT r."workspaceId", r."id", r."threadId" FROM "Run" r
        JOIN "Thread" t ON t."workspaceId" = r."workspaceId" AND t."id" = r."threadId"
        WHERE r."stepsUntil" < now() LIMIT ${batchSize} FOR UPDATE OF t SKIP LOCKED
      ), step AS (
        DELETE FROM "Step" s USING ended e WHERE s."workspaceId" = e."workspaceId" AND s."runId" = e."id"
      ), entry AS (
        DELETE FROM "Event" v USING ended e
        WHERE v."workspaceId" = e."workspaceId" AND v."threadId" = e."threadId" AND v."runId" = e."id"
          AND v."type"::text = ANY(${eventTypesOfSteps}::text[])
      )
      UPDATE "Run" r SET "stepsUntil" = NULL FROM ended e
      WHERE r."workspaceId" = e."workspaceId" AND r."id" = e."id" RETURNING r."id"`;
    count = runs.length;
  }
}
