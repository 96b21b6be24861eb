import type { StepStatus as StepStatusValue, StepType as StepTypeValue } from '../../db/generated/client.ts';
import { followRun, followThread } from '../../domain/follow/follow.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import { eventKind, eventKinds, type FeedItemType, textKinds } from '../../domain/log/event-kinds.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { guardedIterator } from '../guarded-iterator.ts';
import { Message, MessageStatus } from './message.ts';
import { Run } from './run.ts';
import { RunStatus } from './run-status.ts';
import { Step } from './step.ts';
import { StepStatus, StepType } from './step-status.ts';

type EventItem = Extract<FeedItem, { kind: 'event' }>;
type DeltaItem = Extract<FeedItem, { kind: 'delta' }>;

const EventInterface = builder.interfaceRef<FeedItem>('Event').implement({
  description: 'Something that a follower is told.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The position behind this event: pass it as `after` to go on from here.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened; for a delta, when it was sent.' }),
    runId: t.exposeID('runId', { nullable: true, description: 'The run it belongs to; null: none.' }),
    threadId: t.exposeID('threadId', { description: 'The thread it belongs to.' }),
  }),
});

/** The ids that an event names: of the row, or of what opened the text that grows. */
const named = (item: FeedItem) => (item.kind === 'event' ? item.event : item.opener);

const runStatusChanged = builder.objectRef<EventItem>('RunStatusChanged').implement({
  description: 'A run entered a status.',
  interfaces: [EventInterface],
  fields: (t) => ({
    status: t.field({
      type: RunStatus,
      description: 'The status at that moment.',
      resolve: ({ event }) => event.value as never,
    }),
    run: t.prismaField({
      type: Run,
      description: 'The run as it is now.',
      resolve: (query, { event }, _args, ctx) =>
        ctx.db.run.findFirstOrThrow({ ...query, where: { id: event.runId ?? '' } }),
    }),
  }),
});

const stepStarted = builder.objectRef<EventItem>('StepStarted').implement({
  description: 'A run began a step.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step.', resolve: (item) => named(item).stepId ?? '' }),
    type: t.field({ type: StepType, description: 'What it is.', resolve: ({ event }) => event.value as StepTypeValue }),
    step: t.prismaField({
      type: Step,
      description: 'The step as it is now.',
      resolve: (query, { event }, _args, ctx) =>
        ctx.db.step.findFirstOrThrow({ ...query, where: { id: event.stepId ?? '' } }),
    }),
  }),
});

interface CallDelta {
  index: number;
  id: string;
  kind: string;
  name: string | null;
  arguments: string | null;
  output: string | null;
}

const ToolCallDelta = builder.objectRef<CallDelta>('ToolCallDelta').implement({
  description: 'What is new of a call: pieces to append.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Which call of the step.' }),
    id: t.exposeID('id', { nullable: true, description: 'Its id.' }),
    kind: t.exposeString('kind', { description: 'The kind of the tool: `function`, …' }),
    name: t.exposeString('name', { nullable: true, description: 'The function.' }),
    arguments: t.exposeString('arguments', {
      nullable: true,
      description: 'The next piece of its arguments; null: nothing new.',
    }),
    output: t.exposeString('output', {
      nullable: true,
      description: 'The next piece of its output; null: nothing new.',
    }),
  }),
});

function callDelta(item: FeedItem): CallDelta {
  const { toolCallId, value } = named(item);
  const call = JSON.parse(value ?? '{}') as { index: number; kind: string; name: string };
  const delta = item.kind === 'delta' ? { [item.channel === 'OUTPUT' ? 'output' : 'arguments']: item.text } : {};
  return { arguments: null, output: null, ...call, id: toolCallId ?? '', ...delta };
}

const stepDelta = builder.objectRef<FeedItem>('StepDelta').implement({
  description: 'A call of a step began, or went on.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step.', resolve: (item) => named(item).stepId ?? '' }),
    toolCall: t.field({ type: ToolCallDelta, description: 'What is new.', resolve: callDelta }),
  }),
});

const stepEnded = builder.objectRef<EventItem>('StepEnded').implement({
  description: 'A step ended.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step.', resolve: (item) => named(item).stepId ?? '' }),
    status: t.field({
      type: StepStatus,
      description: 'How it ended.',
      resolve: ({ event }) => event.value as StepStatusValue,
    }),
    step: t.prismaField({
      type: Step,
      description: 'The step as it is now.',
      resolve: (query, { event }, _args, ctx) =>
        ctx.db.step.findFirstOrThrow({ ...query, where: { id: event.stepId ?? '' } }),
    }),
  }),
});

const messageOf = ({ message }: EventItem) => message as NonNullable<EventItem['message']>;

const messageStarted = builder.objectRef<EventItem>('MessageStarted').implement({
  description: 'A run began to write a message.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => named(item).messageId ?? '' }),
    message: t.field({ type: Message, description: 'The message.', resolve: messageOf }),
  }),
});

const messageDelta = builder.objectRef<DeltaItem>('MessageDelta').implement({
  description: "A delta of a message's text. All deltas of a message joined are its text, exactly.",
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => named(item).messageId ?? '' }),
    contentIndex: t.int({ description: 'Which part of its content grows.', resolve: () => 0 }),
    text: t.exposeString('text', { description: 'The delta, to append.' }),
  }),
});

const messageEnded = builder.objectRef<EventItem>('MessageEnded').implement({
  description: 'A message is whole, or ended early.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => named(item).messageId ?? '' }),
    status: t.field({
      type: MessageStatus,
      description: 'Whether it is whole.',
      resolve: ({ event }) => event.value as 'COMPLETED',
    }),
    message: t.field({ type: Message, description: 'The message.', resolve: messageOf }),
  }),
});

const reasoningDelta = builder.objectRef<DeltaItem>('ReasoningDelta').implement({
  description: 'A delta of what the model thinks before it answers.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ nullable: true, description: 'The step it belongs to.', resolve: (item) => named(item).stepId }),
    text: t.exposeString('text', { description: 'The delta, to append.' }),
  }),
});

const messageAdded = builder.objectRef<EventItem>('MessageAdded').implement({
  description: 'Somebody added a message, or edited one: then it was removed just before.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message.', resolve: (item) => named(item).messageId ?? '' }),
    message: t.field({ type: Message, description: 'The message.', resolve: messageOf }),
  }),
});

const messageRemoved = builder.objectRef<EventItem>('MessageRemoved').implement({
  description: 'A message is no longer in the thread.',
  interfaces: [EventInterface],
  fields: (t) => ({ messageId: t.id({ description: 'The message.', resolve: (item) => named(item).messageId ?? '' }) }),
});

/** The object types of events and deltas. A new kind of event (`eventKinds`) does not compile without its type here. */
const itemTypes = {
  RunStatusChanged: runStatusChanged,
  StepStarted: stepStarted,
  StepDelta: stepDelta,
  StepEnded: stepEnded,
  MessageStarted: messageStarted,
  MessageDelta: messageDelta,
  MessageEnded: messageEnded,
  ReasoningDelta: reasoningDelta,
  MessageAdded: messageAdded,
  MessageRemoved: messageRemoved,
} as const satisfies Record<FeedItemType, unknown>;

const typeOf = (item: FeedItem) =>
  item.kind === 'event' ? eventKind(item.event.type).graphType : textKinds[item.channel].graphType;

const threadOnly = new Set(
  Object.values(eventKinds).flatMap((kind) => (kind.stream === 'thread' ? kind.graphType : [])),
);
const allTypes = Object.entries(itemTypes) as Array<[FeedItemType, (typeof itemTypes)[FeedItemType]]>;

const RunEvent = builder.unionType('RunEvent', {
  description: 'What a follower of a run is told.',
  types: allTypes.flatMap(([name, type]) => (threadOnly.has(name as never) ? [] : [type])),
  resolveType: (item) => typeOf(item as FeedItem),
});

const ThreadEvent = builder.unionType('ThreadEvent', {
  description: 'What a follower of a thread is told.',
  types: allTypes.map(([, type]) => type),
  resolveType: (item) => typeOf(item as FeedItem),
});

type Follow = (
  ctx: GraphContext,
  id: string,
  after: string | null,
  signal: AbortSignal,
) => Promise<AsyncIterableIterator<FeedItem>>;

const subscribeTo = (follow: Follow) => (ctx: GraphContext, id: string, after: string | null | undefined) =>
  guardedIterator(ctx, (signal) => follow(ctx, id, after ?? null, signal));

builder.subscriptionFields((t) => ({
  runEvents: t.field({
    type: RunEvent,
    description:
      'Every event of one run, from its first, or from the one after `after`, to its last; completes after the terminal status.',
    args: {
      runId: t.arg.id({ required: true, description: 'The run.' }),
      after: t.arg.string({ description: 'The cursor of the last event that you have; absent: from the first.' }),
    },
    subscribe: (_root, { runId, after }, ctx) => subscribeTo(followRun)(ctx, runId, after),
    resolve: (item) => item as never,
  }),
  threadEvents: t.field({
    type: ThreadEvent,
    description: 'Every event of a thread: all its runs, and messages that others add; never completes by itself.',
    args: {
      threadId: t.arg.id({ required: true, description: 'The thread.' }),
      after: t.arg.string({
        description:
          'The cursor of the last event that you have, or the eventCursor of the thread; absent: from now on.',
      }),
    },
    subscribe: (_root, { threadId, after }, ctx) => subscribeTo(followThread)(ctx, threadId, after),
    resolve: (item) => item as never,
  }),
}));
