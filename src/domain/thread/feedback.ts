import { z } from 'zod';
import { FeedbackRating, type Message } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { inThreadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { absentOr, parse, textUpTo } from '../input.ts';
import { messageLimits } from '../limits.ts';

const feedbackInput = z
  .object({
    messageId: z.string(),
    rating: z
      .enum(FeedbackRating)
      .nullish()
      .transform((rating) => rating ?? null),
    comment: absentOr(textUpTo(messageLimits.feedback)),
  })
  .refine(({ rating, comment }) => rating !== null || comment === undefined, {
    path: ['comment'],
    message: 'Not allowed without a rating',
  });

/** Sets the feedback on an answer of a model; a null rating removes it. A message has one feedback: the latest. */
export async function setMessageFeedback(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { messageId: id, rating, comment = null } = parse(feedbackInput, input);
  const data = {
    feedback: rating,
    feedbackComment: comment,
    feedbackBy: rating !== null && ctx.actor.kind === 'USER' ? ctx.actor.userId : null,
    feedbackAt: rating === null ? null : new Date(),
  };
  const where = { id, role: 'ASSISTANT' as const, ...inThreadsVisibleTo(ctx.actor) };
  const [message] = isId('Message', id) ? await ctx.db.message.updateManyAndReturn({ where, data }) : [];
  if (!message) throw new NotFoundError(id);
  return message;
}
