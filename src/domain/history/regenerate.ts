import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { absentOr, metadata, parse } from '../input.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { addRun, type CreateRun, idempotencyKey, onceByKey } from '../run/create-run.ts';
import { generation } from '../run/generation.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { openChoices, requireOpenChoices } from '../run/user-choices.ts';
import { removeMessages } from '../thread/message.ts';
import { pluginTokens } from '../tool/plugin-token.ts';
import { tools } from '../tool/tool-input.ts';
import { messagesAfter } from './conversation-order.ts';

const regenerateInput = z.object({
  threadId: z.string(),
  model: generation.model,
  instructions: generation.instructions,
  assistantId: absentOr(z.string()),
  tools: absentOr(tools),
  metadata: absentOr(metadata),
  idempotencyKey,
  pluginTokens,
});

/**
 * Removes the answer to the last user message and creates a new run, with the configuration of the last run except for
 * the given fields; with an assistant, the configuration is the assistant's. For an end user, what the operator has not opened comes from the assistant instead. Throws
 * ConflictError when the thread has no user message to answer, ForbiddenError for a choice that is not open.
 */
export async function regenerate(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  requireScope(ctx, 'THREADS_WRITE');
  const { threadId, idempotencyKey: key, model, instructions, ...others } = parse(regenerateInput, input);
  const choices = { ...(model ? { model } : {}), ...(instructions ? { instructions } : {}), ...present(others) };
  requireOpenChoices(ctx, choices);
  if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
  const answerAgain = async (change: ThreadChange, stored: string | null) => {
    await cancelUnfinishedRuns(ctx, change);
    const question = await change.tx.message.findFirst({
      where: { threadId, role: 'USER' },
      orderBy: { position: 'desc' },
    });
    if (!question) throw new ConflictError('The thread has no user message to answer.');
    await removeMessages(change, messagesAfter({ ...question, run: null }));
    const orderBy = { number: 'desc' } as const;
    const last =
      choices.assistantId === undefined ? await change.tx.run.findFirst({ where: { threadId }, orderBy }) : null;
    const configuration = last ? openChoices(ctx, configurationOf(last)) : {};
    return addRun(ctx, change, { ...configuration, ...choices }, stored);
  };
  return onceByKey(ctx, key, (stored) => changeThread(ctx, threadId, (change) => answerAgain(change, stored)));
}

/** The fields that are not undefined. */
const present = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;

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
  | 'expiresAt'
  | 'durationMs'
  | 'totalTokens'
  | 'knownCost';

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
    reasoningEffort,
    seed,
    stop,
    topK,
    providerOptions,
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
    reasoningEffort,
    seed,
    stop,
    topK,
    providerOptions: providerOptions as CreateRun['providerOptions'],
    truncation: { strategy: truncation, lastMessages: truncationLastMessages ?? undefined },
  };
}
