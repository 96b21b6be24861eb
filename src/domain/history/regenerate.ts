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
import { openChoices, requireOpenChoices } from '../run/user-choices.ts';
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
 * Removes the answer to the last user message and creates a new run, with the configuration of the last run except for
 * the given fields. For an end user, what the operator has not opened comes from the assistant instead. Throws
 * ConflictError when the thread has no user message to answer, ForbiddenError for a choice that is not open.
 */
export async function regenerate(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  requireScope(ctx, 'THREADS_WRITE');
  const { threadId, model, instructions, pluginTokens: tokens } = parse(regenerateInput, input);
  requireOpenChoices(ctx, { model: model ?? undefined, instructions: instructions ?? undefined });
  if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
  return changeThread(ctx, threadId, async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    const question = await change.tx.message.findFirst({
      where: { threadId, role: 'USER' },
      orderBy: { position: 'desc' },
    });
    if (!question) throw new ConflictError('The thread has no user message to answer.');
    await removeMessages(change, messagesAfter({ ...question, run: null }));
    const last = await change.tx.run.findFirst({ where: { threadId }, orderBy: { number: 'desc' } });
    return addRun(ctx, change, {
      ...(last ? openChoices(ctx, configurationOf(last)) : {}),
      ...(model ? { model } : {}),
      ...(instructions ? { instructions } : {}),
      pluginTokens: tokens,
    });
  });
}

/** The columns of a run that are not part of the configuration that a client gave it. */
type StateColumn =
  | 'workspaceId'
  | 'id'
  | 'threadId'
  | 'number'
  | 'status'
  | 'inputThrough'
  | 'firstSeq'
  | 'errorCode'
  | 'errorMessage'
  | 'errorRetryable'
  | 'incompleteReason'
  | 'promptTokens'
  | 'completionTokens'
  | 'reasoningTokens'
  | 'cachedTokens'
  | 'cost'
  | 'generationMs'
  | 'omittedMessages'
  | 'recordSteps'
  | 'stepsUntil'
  | 'sealedUserTokens'
  | 'metadata'
  | 'idempotencyKey'
  | 'slotOwner'
  | 'isHead'
  | 'attempt'
  | 'losses'
  | 'fence'
  | 'leasedUntil'
  | 'createdAt'
  | 'startedAt'
  | 'firstTokenAt'
  | 'endedAt'
  | 'expiresAt';

/** The configuration of a run, to create another one from. */
function configurationOf(run: Omit<Run, StateColumn>): CreateRun {
  const {
    assistantId,
    model,
    instructions,
    tools,
    temperature,
    topP,
    maxPromptTokens,
    maxCompletionTokens,
    maxSteps,
    toolChoice,
    parallelToolCalls,
    responseFormat,
    truncation,
    truncationLastMessages,
    ...rest
  } = run;
  // A new column of Run does not compile here until it is part of the configuration, or added to `StateColumn`.
  rest satisfies Record<string, never>;
  return {
    assistantId: assistantId ?? undefined,
    model,
    instructions,
    tools: tools as unknown as CreateRun['tools'],
    temperature,
    topP,
    maxPromptTokens: maxPromptTokens ?? undefined,
    maxCompletionTokens,
    maxSteps,
    toolChoice: (toolChoice ?? undefined) as CreateRun['toolChoice'],
    parallelToolCalls,
    responseFormat: responseFormat as CreateRun['responseFormat'],
    truncation: { strategy: truncation, lastMessages: truncationLastMessages ?? undefined },
  };
}
