import type { StepStatus as StepStatusValue, StepType as StepTypeValue } from '../../db/generated/client.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import { eventKind, eventKinds, type FeedItemType, textKinds } from '../../domain/log/event-kinds.ts';
import { builder } from '../builder.ts';
import { inProgress, stepAt } from './event-state.ts';
import { Message, MessageStatus } from './message.ts';
import { Run } from './run.ts';
import { RunStatus } from './run-status.ts';
import { Step } from './step.ts';
import { StepStatus, StepType } from './step-status.ts';
import { Thread } from './thread.ts';
import { callDelta, idsOf, ToolCallDelta } from './tool-call-delta.ts';

type EventItem = Extract<FeedItem, { kind: 'event' }>;
type DeltaItem = Extract<FeedItem, { kind: 'delta' }>;

const normalized = 'A cache that merges objects by `id` needs no other field of the event.';

const EventInterface = builder.interfaceRef<FeedItem>('Event').implement({
  description:
    'One item of a subscription: a change in the thread, or a delta of a text that is being written. Items arrive in order, each exactly once. Store `cursor` after you have handled an item.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description:
        'Opaque position after this event. Pass the last cursor you received as `after` to resume without gaps or duplicates, on any connection and any instance.',
    }),
    at: t.expose('at', {
      type: 'DateTime',
      description: 'When the event happened. For a delta: when the server sent it.',
    }),
    runId: t.exposeID('runId', {
      nullable: true,
      description: 'The run that the event belongs to. Null for MessageAdded, MessageRemoved and ThreadChanged.',
    }),
    threadId: t.exposeID('threadId', { description: 'The thread that the event belongs to.' }),
  }),
});

const runStatusChanged = builder.objectRef<EventItem>('RunStatusChanged').implement({
  description:
    'Sent each time a run enters a status, starting with QUEUED. Show the status to the user. On REQUIRES_ACTION, read `run.requiredAction` and answer with submitToolOutputs. A terminal status is the last event of a run.',
  interfaces: [EventInterface],
  fields: (t) => ({
    status: t.field({
      type: RunStatus,
      description: 'The status that the run entered with this event. `run.status` can already be a later one.',
      resolve: ({ event }) => event.value as never,
    }),
    run: t.prismaField({
      type: Run,
      description: 'The run in its current state, which can be newer than this event.',
      resolve: (query, { event }, _args, ctx) =>
        ctx.db.run.findFirstOrThrow({ ...query, where: { id: event.runId ?? '' } }),
    }),
  }),
});

const stepStarted = builder.objectRef<EventItem>('StepStarted').implement({
  description:
    'Sent when the type of a step is known: when the model starts a message or its first tool call. Add the step to the display. ReasoningDelta events of the step can arrive earlier.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step that started.', resolve: (item) => idsOf(item).stepId ?? '' }),
    type: t.field({
      type: StepType,
      description: 'Whether the step writes a message or calls tools.',
      resolve: ({ event }) => event.value as StepTypeValue,
    }),
    step: t.prismaField({
      type: Step,
      description: `The step as of this event: in progress, without calls and message. ${normalized}`,
      resolve: (query, item, _args, ctx) => stepAt(ctx, query, item),
    }),
  }),
});

const stepDelta = builder.objectRef<FeedItem>('StepDelta').implement({
  description:
    "Sent when the model starts a tool call, and for each delta of the call's arguments and output. Create the call when its `id` is new, then append the deltas. All deltas of a text joined are exactly its final value.",
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({
      description: 'The step that the tool call belongs to.',
      resolve: (item) => idsOf(item).stepId ?? '',
    }),
    toolCall: t.field({
      type: ToolCallDelta,
      description: 'The new tool call, or a delta of one.',
      resolve: callDelta,
    }),
    step: t.prismaField({
      type: Step,
      description: `The step with its calls as of this event. ${normalized} Each event that selects it reads the step.`,
      resolve: (query, item, _args, ctx) => stepAt(ctx, query, item),
    }),
  }),
});

const stepEnded = builder.objectRef<EventItem>('StepEnded').implement({
  description:
    'Sent when a step ends, in any status. All its deltas have been sent. Read usage, files, search results and errors from `step`.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step that ended.', resolve: (item) => idsOf(item).stepId ?? '' }),
    stepStatus: t.field({
      type: StepStatus,
      description: 'The terminal status of the step.',
      resolve: ({ event }) => event.value as StepStatusValue,
    }),
    step: t.prismaField({
      type: Step,
      description: 'The step in its current state, which can be newer than this event.',
      resolve: (query, { event }, _args, ctx) =>
        ctx.db.step.findFirstOrThrow({ ...query, where: { id: event.stepId ?? '' } }),
    }),
  }),
});

const messageOf = ({ message }: EventItem) => message as NonNullable<EventItem['message']>;

const messageStarted = builder.objectRef<EventItem>('MessageStarted').implement({
  description: 'Sent when a run starts to write a message. Show an empty message and append its MessageDelta events.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({
      description: 'The message that the run writes.',
      resolve: (item) => idsOf(item).messageId ?? '',
    }),
    message: t.field({
      type: Message,
      description: `The message as of this event: in progress and empty. ${normalized}`,
      resolve: (item) => inProgress(messageOf(item)),
    }),
  }),
});

const messageDelta = builder.objectRef<DeltaItem>('MessageDelta').implement({
  description:
    "Sent for each delta of a message's text. Append `text` to the message. All deltas of a message joined are exactly its final text. Consecutive deltas can arrive as one when you connect late or read slowly.",
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message that grows.', resolve: (item) => idsOf(item).messageId ?? '' }),
    contentIndex: t.int({
      description: 'Index in `Message.content` of the part that grows. Always 0: a model writes one text part.',
      resolve: () => 0,
    }),
    text: t.exposeString('text', { description: 'The text to append.' }),
    message: t.field({
      type: Message,
      description: `The message with its text up to and including this delta. ${normalized}`,
      resolve: async ({ readMessage }) => inProgress(await readMessage()),
    }),
  }),
});

const messageEnded = builder.objectRef<EventItem>('MessageEnded').implement({
  description:
    'Sent when a message that a run writes is complete or ends early. Replace what you show by `message`: annotations and generated images are added at the end.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message that ended.', resolve: (item) => idsOf(item).messageId ?? '' }),
    messageStatus: t.field({
      type: MessageStatus,
      description: 'COMPLETED, or INCOMPLETE if the run ended first; `message.incompleteReason` has the reason.',
      resolve: ({ event }) => event.value as 'COMPLETED',
    }),
    message: t.field({
      type: Message,
      description: 'The message with its final text and parts.',
      resolve: messageOf,
    }),
  }),
});

const reasoningDelta = builder.objectRef<DeltaItem>('ReasoningDelta').implement({
  description:
    'Sent for each delta of the reasoning that a model writes before it answers. Append `text` to the reasoning of the step. Only models that expose their reasoning send it.',
  interfaces: [EventInterface],
  fields: (t) => ({
    stepId: t.id({ description: 'The step whose reasoning grows.', resolve: (item) => idsOf(item).stepId ?? '' }),
    text: t.exposeString('text', { description: 'The text to append.' }),
  }),
});

const messageAdded = builder.objectRef<EventItem>('MessageAdded').implement({
  description:
    'Sent when a client adds a message, or edits one: an edit sends MessageRemoved and then MessageAdded with the same id. Insert the message at its `position`.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message that was added.', resolve: (item) => idsOf(item).messageId ?? '' }),
    message: t.field({
      type: Message,
      description: 'The message in its current state, which can be newer than this event.',
      resolve: messageOf,
    }),
  }),
});

const messageRemoved = builder.objectRef<EventItem>('MessageRemoved').implement({
  description:
    'Sent when a message is deleted, edited (MessageAdded with the same id follows), or dropped by regenerate or by the edit of an earlier message. Remove it from the display.',
  interfaces: [EventInterface],
  fields: (t) => ({
    messageId: t.id({ description: 'The message that was removed.', resolve: (item) => idsOf(item).messageId ?? '' }),
  }),
});

const threadChanged = builder.objectRef<EventItem>('ThreadChanged').implement({
  description:
    'Sent when updateThread changes the title, assistant, files, metadata or archiving of the thread. A subscriber that resumes receives only the latest of several changes.',
  interfaces: [EventInterface],
  fields: (t) => ({
    thread: t.prismaField({
      type: Thread,
      description: 'The thread in its current state, which can be newer than this event.',
      resolve: (query, { threadId }, _args, ctx) =>
        ctx.db.thread.findFirstOrThrow({ ...query, where: { id: threadId } }),
    }),
  }),
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
  ThreadChanged: threadChanged,
} as const satisfies Record<FeedItemType, unknown>;

const typeOf = (item: FeedItem) =>
  item.kind === 'event' ? eventKind(item.event.type).graphType : textKinds[item.channel].graphType;

const threadOnly = new Set(
  Object.values(eventKinds).flatMap((kind) => (kind.stream === 'thread' ? kind.graphType : [])),
);
const allTypes = Object.entries(itemTypes) as Array<[FeedItemType, (typeof itemTypes)[FeedItemType]]>;

/** The items of a run's stream. */
export const RunEvent = builder.unionType('RunEvent', {
  description: 'An event of a run. More types can be added: ignore those you do not know.',
  types: allTypes.flatMap(([name, type]) => (threadOnly.has(name as never) ? [] : [type])),
  resolveType: (item) => typeOf(item as FeedItem),
});

/** The items of a thread's stream. */
export const ThreadEvent = builder.unionType('ThreadEvent', {
  description:
    'An event of a thread: of any of its runs, of a message that a client added, edited or removed, or of the thread itself. More types can be added: ignore those you do not know.',
  types: allTypes.map(([, type]) => type),
  resolveType: (item) => typeOf(item as FeedItem),
});
