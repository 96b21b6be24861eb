import { z } from 'zod';
import { type Message, Prisma, type Run, type Thread } from '../db/generated/client.ts';
import { isId, newId } from '../id.ts';
import { requireScope } from './access/access.ts';
import { threadsVisibleTo } from './access/scope.ts';
import type { DomainContext } from './context.ts';
import { ConflictError, NotFoundError } from './error.ts';
import { lockSourceThread, shareFiles } from './history/forked-file.ts';
import { clearable, metadata, parse, textUpTo } from './input.ts';
import { changeThread } from './log/thread-change.ts';
import { addRun, type CreateRun } from './run/create-run.ts';
import { generation } from './run/generation.ts';
import { cancelUnfinishedRuns } from './run/run.ts';
import { filesIn } from './thread/content.ts';
import { conversationOrder, parseEdit, removeMessages, threadOfMessage } from './thread/message.ts';
import { replaceShownFiles } from './thread/message-file.ts';
import { insertThread } from './thread/thread.ts';
import { pluginTokens } from './tool/plugin-token.ts';

const withInputThrough = { run: { select: { inputThrough: true } } } as const;

/** What stands behind a message in the conversation: the answer to a run stands behind what the run was asked. */
function messagesAfter(message: Pick<Message, 'position'> & { run: Pick<Run, 'inputThrough'> | null }) {
  const { position, run } = message;
  if (!run) return { position: { gt: position }, OR: [{ runId: null }, { run: { inputThrough: { gte: position } } }] };
  const { inputThrough } = run;
  return {
    OR: [
      { runId: null, position: { gt: inputThrough } },
      { run: { inputThrough: { gt: inputThrough } } },
      { run: { inputThrough }, position: { gt: position } },
    ],
  };
}

/** Gives a message new content. Runs of the thread are cancelled first, and what followed the message is dropped. */
export async function editMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id, columns } = parseEdit(input);
  return changeThread(ctx, await threadOfMessage(ctx, id), async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    const message = await change.tx.message.findFirst({ where: { id }, include: withInputThrough });
    if (!message) throw new NotFoundError(id);
    await removeMessages(change, messagesAfter(message));
    const data = { text: columns.text, parts: (columns.parts ?? Prisma.DbNull) as Prisma.InputJsonValue };
    await replaceShownFiles(ctx, change, id, filesIn(columns.parts));
    await change.tx.message.updateMany({
      where: { id },
      data: { ...data, annotations: Prisma.DbNull, editedAt: change.now },
    });
    change.log({ type: 'MESSAGE_REMOVED', messageId: id });
    change.log({ type: 'MESSAGE_ADDED', messageId: id });
    change.thread.lastActiveAt = change.now;
    return change.tx.message.findFirstOrThrow({ where: { id } });
  });
}

/** Deletes one message. One that is being written is refused with ConflictError: cancel its run first. */
export async function deleteMessage(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  return changeThread(ctx, await threadOfMessage(ctx, id), async (change) => {
    const message = await change.tx.message.findFirst({ where: { id } });
    if (!message) throw new NotFoundError(id);
    if (message.status === 'IN_PROGRESS')
      throw new ConflictError('The message is being written. Cancel its run first.');
    await removeMessages(change, { id });
    return id;
  });
}

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

const forkInput = z.object({
  throughMessageId: z.string(),
  title: clearable(textUpTo(256)),
  metadata: metadata.nullish(),
});

/** A new thread with copies of the messages up to one, the same owner and assistant, and a link to that message. */
export async function forkThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const { throughMessageId, title, metadata: pairs } = parse(forkInput, input);
  const sourceId = await threadOfMessage(ctx, throughMessageId);
  const source = await ctx.db.thread.findFirst({ where: { id: sourceId, ...threadsVisibleTo(ctx.actor) } });
  if (!source) throw new NotFoundError(throughMessageId);
  const all = await ctx.db.message.findMany({
    where: { threadId: sourceId },
    include: { ...withInputThrough, files: true },
    orderBy: { position: 'asc' },
  });
  const inOrder = all.sort((one, other) => conversationOrder(one) - conversationOrder(other));
  const messages = inOrder.slice(0, inOrder.findIndex(({ id }) => id === throughMessageId) + 1);
  if (messages.some(({ status }) => status === 'IN_PROGRESS')) {
    throw new ConflictError('A message up to that one is being written. Wait for its run, or cancel it.');
  }
  const id = newId('Thread');
  await changeThread(
    ctx,
    id,
    async (change) => {
      const copies = messages.map(({ runId: _runId, run: _run, files, ...message }) => ({
        ...message,
        files,
        id: newId('Message'),
        threadId: id,
        position: change.position(),
        parts: message.parts ?? undefined,
        annotations: message.annotations ?? undefined,
        metadata: message.metadata as Prisma.InputJsonValue,
      }));
      await change.tx.message.createMany({ data: copies.map(({ files: _files, ...message }) => message) });
      const files = copies.flatMap(({ id: messageId, files }) => files.map((file) => ({ ...file, messageId })));
      if (files.length > 0) await change.tx.messageFile.createMany({ data: files });
      await shareFiles(ctx, change.tx, [sourceId, id], copies);
      for (const copy of copies) change.log({ type: 'MESSAGE_ADDED', messageId: copy.id });
    },
    {
      insert: async (tx) => {
        // Before anything else of it is touched: whoever deletes it takes it in the same order.
        await lockSourceThread(tx, ctx.workspaceId, sourceId);
        return insertThread(ctx, tx, id, {
          title: title === undefined ? source.title : title,
          assistantId: source.assistantId,
          owner: source.owner,
          metadata: (pairs ?? source.metadata) as Record<string, string>,
          forkedFromId: throughMessageId,
        });
      },
    },
  );
  return ctx.db.thread.findFirstOrThrow({ where: { id } });
}
