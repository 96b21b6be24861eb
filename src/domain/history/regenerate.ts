import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { parse } from '../input.ts';
import { changeThread } from '../log/thread-change.ts';
import { addRun, type CreateRun } from '../run/create-run.ts';
import { generation } from '../run/generation.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { removeMessages } from '../thread/message.ts';
import { pluginTokens } from '../tool/plugin-token.ts';
import { messagesAfter } from './conversation-order.ts';

const regenerateInput = z.object({
  threadId: z.string(),
  model: generation.model,
  instructions: generation.instructions,
  pluginTokens,
});

/**
 * Drops the answer to the last user message and runs again, with the configuration of the last run but for what is
 * given. Throws ConflictError when the thread has no user message to answer.
 */
export async function regenerate(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  requireScope(ctx, 'THREADS_WRITE');
  const { threadId, model, instructions, pluginTokens: tokens } = parse(regenerateInput, input);
  if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
  return changeThread(ctx, threadId, async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    const asked = await change.tx.message.findFirst({
      where: { threadId, role: 'USER' },
      orderBy: { position: 'desc' },
    });
    if (!asked) throw new ConflictError('The thread has no user message to answer.');
    await removeMessages(change, messagesAfter({ ...asked, run: null }));
    const last = await change.tx.run.findFirst({ where: { threadId }, orderBy: { number: 'desc' } });
    return addRun(ctx, change, {
      ...(last ? configurationOf(last) : {}),
      model: model ?? last?.model,
      ...(instructions ? { instructions } : {}),
      pluginTokens: tokens,
    });
  });
}

function configurationOf(run: Run): CreateRun {
  return {
    assistantId: run.assistantId ?? undefined,
    instructions: run.instructions,
    tools: run.tools as unknown as CreateRun['tools'],
    temperature: run.temperature,
    topP: run.topP,
    maxPromptTokens: run.maxPromptTokens ?? undefined,
    maxCompletionTokens: run.maxCompletionTokens,
    maxSteps: run.maxSteps,
    toolChoice: (run.toolChoice ?? undefined) as CreateRun['toolChoice'],
    parallelToolCalls: run.parallelToolCalls,
    responseFormat: run.responseFormat as CreateRun['responseFormat'],
    truncation: { strategy: run.truncation, lastMessages: run.truncationLastMessages ?? undefined },
  };
}
