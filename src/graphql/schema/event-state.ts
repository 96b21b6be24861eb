import type { Message, Step, ToolCall } from '../../db/generated/client.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import { noError, noResult } from '../../domain/run/step.ts';
import type { GraphContext } from '../context.ts';
import { idsOf } from './tool-call-delta.ts';

/** A message as it was while a run wrote it. Its text is read from the event (`GraphContext.textAt`). */
export function inProgress(message: Message): Message {
  const { parts, annotations, incompleteReason, completedAt } = notYet;
  return { ...message, status: 'IN_PROGRESS', text: '', flags: [], parts, annotations, incompleteReason, completedAt };
}

const notYet = { parts: null, annotations: null, incompleteReason: null, completedAt: null } as const;

type StepRow = Step & { message?: Message | null; toolCalls?: ToolCall[] };

/**
 * The step of an event with the columns and relations of `query`, as it was at the event's cursor: in progress, with the calls
 * and the message that had started. Throws if the step has been deleted.
 */
export async function stepAt(ctx: GraphContext, query: object, item: FeedItem): Promise<Step> {
  const where = { id: idsOf(item).stepId ?? '' };
  const step = (await ctx.db.step.findFirstOrThrow({ ...query, where })) as StepRow;
  const { message, toolCalls } = step;
  const hasMessage = message && item.textAt({ ownerId: message.id, channel: 'TEXT' }) !== undefined;
  return {
    ...step,
    ...noResult,
    status: 'IN_PROGRESS',
    endedAt: null,
    ...(toolCalls && { toolCalls: await callsAt(item, toolCalls) }),
    ...(message !== undefined && { message: hasMessage ? inProgress(message) : null }),
  } as Step;
}

async function callsAt(item: FeedItem, calls: readonly ToolCall[]): Promise<ToolCall[]> {
  const started = calls.map(async (call) => {
    const { id: ownerId } = call;
    const written = await item.textAt({ ownerId, channel: 'ARGUMENTS' });
    if (written === undefined) return [];
    const output = (await item.textAt({ ownerId, channel: 'OUTPUT' })) || null;
    const columns = { ...noError, status: 'IN_PROGRESS', arguments: written, output, httpStatus: null, endedAt: null };
    return [{ ...call, ...columns } as ToolCall];
  });
  return (await Promise.all(started)).flat();
}
