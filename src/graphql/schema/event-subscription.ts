import type { IteratorSource } from '../../async/iterator.ts';
import { followRun, followThread } from '../../domain/follow/follow.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { guardedIterator } from '../guarded-iterator.ts';
import { RunEvent, ThreadEvent } from './event.ts';

type Follow = (
  ctx: GraphContext,
  id: string,
  after: string | null,
  signal: AbortSignal,
) => Promise<IteratorSource<FeedItem>>;

const subscribeTo = (follow: Follow) => (ctx: GraphContext, id: string, after: string | null | undefined) =>
  guardedIterator(ctx, (signal) => follow(ctx, id, ctx.resumeAfter ?? after ?? null, signal));

builder.subscriptionFields((t) => ({
  runEvents: t.field({
    type: RunEvent,
    description:
      "Streams every event of one run, in order and exactly once, and completes after its terminal status. The stream starts at the first event, however late you connect; pass `after` to resume. It ends with a top-level error: NOT_FOUND if no visible run has this id or its thread is deleted, BAD_USER_INPUT for an invalid cursor, UNAUTHENTICATED when the credential expires or is revoked, RATE_LIMITED if too many streams are open. If the workspace's `recordSteps` is not FULL, reasoning, arguments and outputs are not replayed once the run has ended.",
    args: {
      runId: t.arg.id({ required: true, description: 'The run to follow.' }),
      after: t.arg.string({
        description:
          'Resume after this cursor: `cursor` of the last event you received, or `Run.eventCursor` from a query. Omit to start at the first event.',
      }),
    },
    subscribe: (_root, { runId, after }, ctx) => subscribeTo(followRun)(ctx, runId, after),
    resolve: (item) => item as never,
  }),
  threadEvents: t.field({
    type: ThreadEvent,
    description:
      'Streams every event of a thread, in order and exactly once: those of all its runs, and of messages that clients add, edit or remove. The stream stays open until you unsubscribe. It starts at the present; to show a thread without gaps, query it together with `eventCursor` and pass that as `after`. It ends with a top-level error: NOT_FOUND if no visible thread has this id or it is deleted, BAD_USER_INPUT for an invalid cursor, UNAUTHENTICATED when the credential expires or is revoked, RATE_LIMITED if too many streams are open.',
    args: {
      threadId: t.arg.id({ required: true, description: 'The thread to follow.' }),
      after: t.arg.string({
        description:
          'Resume after this cursor: `cursor` of the last event you received, or `Thread.eventCursor` from a query. Omit to receive only what happens from now on.',
      }),
    },
    subscribe: (_root, { threadId, after }, ctx) => subscribeTo(followThread)(ctx, threadId, after),
    resolve: (item) => item as never,
  }),
}));
