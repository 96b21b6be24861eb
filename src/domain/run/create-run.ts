import { z } from 'zod';
import type { Assistant, Run } from '../../db/generated/client.ts';
import { Prisma } from '../../db/generated/client.ts';
import { isId, newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { requireOverride, requireUsableAssistant } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError, ThreadBusyError } from '../error.ts';
import { absentOr, integer, metadata, parse, positive, textUpTo } from '../input.ts';
import { runLimits } from '../limits.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { requireRoom } from '../quota.ts';
import { appendMessages, messageInputs } from '../thread/message.ts';
import { insertThread, threadInput } from '../thread/thread.ts';
import { pluginTokens, sealUserTokens } from '../tool/plugin-token.ts';
import { checkTools, tools } from '../tool/tool-input.ts';
import { effectiveModel, generation, toolChoice } from './generation.ts';
import { findRun, notifyWorkers, requestCancel } from './run.ts';
import { choiceOverrides, requireOpenChoices } from './user-choices.ts';

/** The idempotency key of an input. */
export const idempotencyKey = absentOr(textUpTo(runLimits.idempotencyKey).min(1, 'Must not be empty'));

const createInput = z.object({
  ...generation,
  threadId: absentOr(z.string()),
  thread: absentOr(threadInput),
  assistantId: absentOr(z.string()),
  messages: absentOr(messageInputs),
  additionalInstructions: absentOr(textUpTo(runLimits.instructions)),
  tools: absentOr(tools),
  maxPromptTokens: absentOr(positive),
  maxSteps: absentOr(integer(1, runLimits.steps)),
  toolChoice: absentOr(toolChoice),
  pluginTokens,
  parallelToolCalls: absentOr(z.boolean()),
  truncation: absentOr(
    z
      .object({
        strategy: z.enum(['AUTO', 'LAST_MESSAGES']),
        lastMessages: absentOr(positive),
      })
      .refine(({ strategy, lastMessages }) => (strategy === 'LAST_MESSAGES') === (lastMessages !== undefined), {
        path: ['lastMessages'],
        message: 'Required for the strategy LAST_MESSAGES, and not allowed for others',
      }),
  ),
  whenBusy: absentOr(z.enum(['ENQUEUE', 'REJECT', 'CANCEL_ACTIVE'])),
  metadata: absentOr(metadata),
  idempotencyKey,
});
/** The validated input of a run. */
export type CreateRun = z.output<typeof createInput>;

/** The fields of the input that are open to every end user. */
type OpenField =
  | 'threadId'
  | 'thread'
  | 'assistantId'
  | 'messages'
  | 'pluginTokens'
  | 'whenBusy'
  | 'metadata'
  | 'idempotencyKey';
// A new field does not compile here until it has an override, or is added to `OpenField`.
choiceOverrides satisfies Record<Exclude<keyof CreateRun, OpenField>, unknown>;

const idempotencyMs = runLimits.idempotencyHours * 60 * 60 * 1000;

/** The idempotency key as stored. Keys of different end users, and of keys and end users, cannot collide. */
function storedKey(ctx: DomainContext, key: string | undefined): string | null {
  if (key === undefined) return null;
  return ctx.actor.kind === 'USER' ? `user:${JSON.stringify([ctx.actor.userId, key])}` : `key:${key}`;
}

/**
 * Creates a run on a thread, or on a new one, after appending messages; all in one transaction. On a busy thread the run
 * is queued (ENQUEUE), refused with ThreadBusyError (REJECT), or the unfinished runs are cancelled (CANCEL_ACTIVE).
 * A second call with the same idempotency key within 24 hours returns the first run and changes nothing. Throws
 * ForbiddenError for what the operator has not opened to an end user. `prepare` changes the thread before the run is added.
 */
export async function createRun(
  ctx: DomainContext,
  input: unknown,
  prepare?: (change: ThreadChange) => Promise<void>,
): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  const create = parse(createInput, input);
  if ((create.threadId === undefined) === (create.thread === undefined)) {
    throw new InvalidInputError([{ path: ['threadId'], message: 'Exactly one of threadId and thread is required.' }]);
  }
  if (create.thread !== undefined || create.messages?.length) requireScope(ctx, 'THREADS_WRITE');
  requireOpenChoices(ctx, create);
  return onceByKey(ctx, create.idempotencyKey, (key) => startRun(ctx, create, { key, prepare }));
}

/**
 * Creates a run with `start`, to which it passes the idempotency key as stored; or returns the run that was created with this
 * key in the last 24 hours.
 */
export async function onceByKey(
  ctx: DomainContext,
  idempotencyKey: string | undefined,
  start: (key: string | null) => Promise<Run>,
): Promise<Run> {
  const key = storedKey(ctx, idempotencyKey);
  const first = key && (await findByKey(ctx, key));
  if (first) return first;
  try {
    return await start(key);
  } catch (error) {
    // A concurrent request with the same key was faster.
    const winner = key && error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
    const run = winner ? await findByKey(ctx, key) : null;
    if (run) return run;
    throw error;
  }
}

async function findByKey(ctx: DomainContext, key: string): Promise<Run | null> {
  const since = new Date(Date.now() - idempotencyMs);
  const found = { include: { thread: { select: { deletedAt: true } } }, where: { idempotencyKey: key } };
  const run = await ctx.db.run.findFirst(found);
  if (!run) return null;
  if (run.createdAt >= since && run.thread.deletedAt === null) return findRun(ctx, run.id);
  await ctx.db.run.updateMany({ where: { id: run.id, idempotencyKey: key }, data: { idempotencyKey: null } });
  return null;
}

interface Start {
  key: string | null;
  prepare?: ((change: ThreadChange) => Promise<void>) | undefined;
}

function startRun(ctx: DomainContext, create: CreateRun, { key, prepare }: Start): Promise<Run> {
  const { threadId, thread } = create;
  if (threadId !== undefined) {
    if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
    return changeThread(ctx, threadId, async (change) => {
      await prepare?.(change);
      return addRun(ctx, change, create, key);
    });
  }
  const id = newId('Thread');
  return changeThread(
    ctx,
    id,
    async (change) => {
      await appendMessages(ctx, change, thread?.messages ?? []);
      return addRun(ctx, change, create, key);
    },
    { insert: (tx) => insertThread(ctx, tx, id, thread ?? {}) },
  );
}

/**
 * Appends the messages of the input to the thread of the change, and adds a run after them. Throws ForbiddenError for an
 * end user who may not use the assistant, or who may not run without one.
 */
export async function addRun(
  ctx: DomainContext,
  change: ThreadChange,
  create: CreateRun,
  key: string | null = null,
): Promise<Run> {
  const assistant = await findAssistant(ctx, change, create.assistantId ?? change.thread.assistantId);
  await resolveBusyThread(ctx, change, create.whenBusy ?? 'ENQUEUE');
  await appendMessages(ctx, change, create.messages ?? []);
  await checkTools(ctx, change.tx, create.tools);
  const configuration = await snapshotConfiguration(ctx, change, create, assistant);
  const id = newId('Run');
  const run = await change.tx.run.create({
    data: {
      ...configuration,
      workspaceId: ctx.workspaceId,
      id,
      threadId: change.thread.id,
      assistantId: assistant?.id ?? null,
      number: change.runNumber(),
      inputThrough: change.thread.lastPosition,
      firstSeq: change.log({ type: 'RUN_STATUS_CHANGED', runId: id, value: 'QUEUED' }),
      sealedUserTokens: sealUserTokens(ctx, create.pluginTokens),
      metadata: create.metadata ?? {},
      idempotencyKey: key,
      slotOwner: change.thread.owner ?? '',
      isHead: change.thread.activeRunId === null,
      createdAt: change.now,
    },
  });
  change.thread.lastActiveAt = change.now;
  if (change.thread.activeRunId === null) {
    change.thread.activeRunId = id;
    await notifyWorkers(ctx, change, id);
  }
  return run;
}

async function findAssistant(ctx: DomainContext, change: ThreadChange, id: string | null): Promise<Assistant | null> {
  if (id === null) {
    requireOverride(ctx, 'INSTRUCTIONS', 'start a run without an assistant: name one in `assistantId`');
    return null;
  }
  requireUsableAssistant(ctx, id);
  const assistant = isId('Assistant', id) ? await change.tx.assistant.findFirst({ where: { id } }) : null;
  if (!assistant) throw new NotFoundError(id);
  return assistant;
}

/**
 * Applies `whenBusy` to the unfinished runs of the thread. Throws ThreadBusyError for REJECT, and QuotaExceededError for
 * ENQUEUE when too many runs wait.
 */
async function resolveBusyThread(
  ctx: DomainContext,
  change: ThreadChange,
  whenBusy: 'ENQUEUE' | 'REJECT' | 'CANCEL_ACTIVE',
): Promise<void> {
  if (change.thread.activeRunId === null) return;
  const where = { threadId: change.thread.id, endedAt: null };
  if (whenBusy === 'ENQUEUE') {
    return requireRoom(
      await change.tx.run.count({ where }),
      runLimits.unfinishedPerThread,
      'unfinished runs in a thread',
    );
  }
  if (whenBusy === 'REJECT') return requireIdle(change);
  const runs = await change.tx.run.findMany({ where, orderBy: { number: 'desc' } });
  for (const run of runs) await requestCancel(ctx, change, run);
}

/** Throws ThreadBusyError if the thread has an unfinished run. */
export async function requireIdle(change: ThreadChange): Promise<void> {
  const id = change.thread.activeRunId;
  const active = id === null ? null : await change.tx.run.findFirst({ where: { id } });
  if (active) throw new ThreadBusyError(active);
}

/** The effective configuration: the run's own values, then the assistant's, then the defaults. */
async function snapshotConfiguration(
  ctx: DomainContext,
  change: ThreadChange,
  create: CreateRun,
  assistant: Assistant | null,
) {
  const workspace = await change.tx.workspace.findFirst({
    where: {},
    select: { defaultModel: true, recordSteps: true },
  });
  const effective = <Value>(own: Value | null | undefined, inherited: Value | null | undefined) =>
    own === undefined ? (inherited ?? null) : own;
  const instructions = [effective(create.instructions, assistant?.instructions), create.additionalInstructions];
  const json = <Value>(value: Value) => (value === null ? undefined : (value as Prisma.InputJsonValue));
  return {
    model: effectiveModel(ctx, create.model ?? assistant?.model ?? null, workspace?.defaultModel ?? null),
    instructions: instructions.filter(Boolean).join('\n\n') || null,
    tools: (create.tools ?? assistant?.tools ?? []) as Prisma.InputJsonValue,
    temperature: effective(create.temperature, assistant?.temperature),
    topP: effective(create.topP, assistant?.topP),
    maxPromptTokens: create.maxPromptTokens,
    maxCompletionTokens: effective(create.maxCompletionTokens, assistant?.maxCompletionTokens),
    maxSteps: create.maxSteps ?? runLimits.defaultSteps,
    toolChoice: create.toolChoice,
    parallelToolCalls: create.parallelToolCalls ?? true,
    responseFormat: json(effective<unknown>(create.responseFormat, assistant?.responseFormat)),
    reasoningEffort: effective(create.reasoningEffort, assistant?.reasoningEffort),
    seed: effective(create.seed, assistant?.seed),
    topK: effective(create.topK, assistant?.topK),
    stop: create.stop ?? assistant?.stop ?? [],
    providerOptions: json(effective<unknown>(create.providerOptions, assistant?.providerOptions)),
    truncation: create.truncation?.strategy ?? ('AUTO' as const),
    recordSteps: workspace?.recordSteps,
    truncationLastMessages: create.truncation?.lastMessages ?? null,
  };
}
