import type { TextChannel } from '../../bus/bus.ts';
import type { Event, EventType } from '../../db/generated/client.ts';

/** Where a kind of growing text is stored, and the graph's type of its deltas. */
interface TextKind {
  /** The table and the column that hold the text when it has ended. */
  readonly table: 'message' | 'step' | 'toolCall';
  readonly column: 'text' | 'reasoning' | 'arguments' | 'output';
  /** The column of an event with the ID of the row. */
  readonly owner: 'messageId' | 'stepId' | 'toolCallId';
  /** The text ends with its message or with its step. */
  readonly endsWith: 'message' | 'step';
  /** The graph's type of a delta. */
  readonly graphType: 'MessageDelta' | 'ReasoningDelta' | 'StepDelta';
}

/** The kinds of growing texts. */
export const textKinds = {
  TEXT: { table: 'message', column: 'text', owner: 'messageId', endsWith: 'message', graphType: 'MessageDelta' },
  REASONING: { table: 'step', column: 'reasoning', owner: 'stepId', endsWith: 'step', graphType: 'ReasoningDelta' },
  ARGUMENTS: { table: 'toolCall', column: 'arguments', owner: 'toolCallId', endsWith: 'step', graphType: 'StepDelta' },
  OUTPUT: { table: 'toolCall', column: 'output', owner: 'toolCallId', endsWith: 'step', graphType: 'StepDelta' },
} as const satisfies Record<TextChannel, TextKind>;

/** What a kind of event means to the log, to followers, to step recording and to the graph. */
interface EventKind {
  /** The growing texts that start with the event. */
  readonly opens: readonly TextChannel[];
  /** Ends the growing texts of the event's message, or of its step. */
  readonly ends: 'message' | 'step' | null;
  /** What happened to the event's message; null: the event is about no message. */
  readonly message: 'started' | 'ended' | 'added' | 'removed' | null;
  /** The event belongs to a step, and is deleted with it where `recordSteps` is NONE. */
  readonly ofStep: boolean;
  /** The graph's type; null: the event only opens a text and is not delivered. */
  readonly graphType: string | null;
  /** Where subscribers get the event: on the run's stream and the thread's, or on the thread's alone. */
  readonly stream: 'run' | 'thread';
}

const nothing = { opens: [], ends: null, message: null, ofStep: false, stream: 'run' } as const;

/**
 * The kinds of events. A new kind is a value of the enum `EventType`, a row here, and a type of that name in the graph.
 */
export const eventKinds = {
  RUN_STATUS_CHANGED: { ...nothing, graphType: 'RunStatusChanged' },
  STEP_STARTED: { ...nothing, ofStep: true, graphType: 'StepStarted' },
  STEP_ENDED: { ...nothing, ends: 'step', ofStep: true, graphType: 'StepEnded' },
  MESSAGE_STARTED: { ...nothing, opens: ['TEXT'], message: 'started', graphType: 'MessageStarted' },
  MESSAGE_ENDED: { ...nothing, ends: 'message', message: 'ended', graphType: 'MessageEnded' },
  MESSAGE_ADDED: { ...nothing, message: 'added', graphType: 'MessageAdded', stream: 'thread' },
  MESSAGE_REMOVED: { ...nothing, message: 'removed', graphType: 'MessageRemoved', stream: 'thread' },
  THREAD_CHANGED: { ...nothing, graphType: 'ThreadChanged', stream: 'thread' },
  REASONING_STARTED: { ...nothing, opens: ['REASONING'], ofStep: true, graphType: null },
  TOOL_CALL_STARTED: { ...nothing, opens: ['ARGUMENTS', 'OUTPUT'], ofStep: true, graphType: 'StepDelta' },
} as const satisfies Record<EventType, EventKind>;

/** The row of `eventKinds`, with its general type. */
export const eventKind = (type: EventType): EventKind => eventKinds[type];

/** The graph's types of events and deltas. */
export type FeedItemType =
  | NonNullable<(typeof eventKinds)[EventType]['graphType']>
  | (typeof textKinds)[TextChannel]['graphType'];

/** The types of the events that belong to steps. */
export const eventTypesOfSteps = (Object.keys(eventKinds) as EventType[]).filter((type) => eventKinds[type].ofStep);

/** The key of one growing text. */
export interface TextKey {
  /** The ID of the message, the step or the tool call. */
  ownerId: string;
  channel: TextChannel;
}

/** The keys of the texts that an event opens. */
export function textsOpenedBy(event: Pick<Event, 'type' | 'messageId' | 'stepId' | 'toolCallId'>): TextKey[] {
  return eventKind(event.type).opens.map((channel) => ({ ownerId: event[textKinds[channel].owner] ?? '', channel }));
}

/** Whether an event ends a text that the event `opener` opened. */
export function endsText(event: Event, { channel }: TextKey, opener: Event): boolean {
  const { ends } = eventKind(event.type);
  if (ends === null || ends !== textKinds[channel].endsWith) return false;
  return ends === 'message' ? event.messageId === opener.messageId : event.stepId === opener.stepId;
}

/** Whether the event is delivered with the row of its message. */
export function carriesMessage(type: EventType): boolean {
  const { message } = eventKind(type);
  return message !== null && message !== 'removed';
}
