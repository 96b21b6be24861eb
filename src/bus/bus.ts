/** An event of a thread's log in a message. */
export interface BusEntry {
  seq: number;
  type: string;
  runId?: string | null;
  stepId?: string | null;
  messageId?: string | null;
  toolCallId?: string | null;
  value?: string | null;
  /** ISO 8601. */
  at: string;
}

/** A message between processes: mostly from the one that executes a run to those with followers of its thread. */
export type BusMessage =
  /**
   * The thread's log has events up to `seq`. `entries`: the newest of them, in order. `here` does not leave the process: rows
   * of messages that the entries are about, whole or changed columns only.
   */
  | { kind: 'events'; seq: number; entries?: BusEntry[]; here?: Array<{ seq: number; message: object }> }
  /** A delta of a growing text, already persisted. `offset`: in UTF-16 code units. */
  | { kind: 'delta'; ownerId: string; channel: TextChannel; offset: number; text: string }
  /** The cancellation of a run was requested: its status is CANCELLING. */
  | { kind: 'cancel'; runId: string }
  /** Messages may have been lost: listeners read the database. */
  | { kind: 'gap' };

/** The growing text of its owner that a delta belongs to. */
export type TextChannel = 'TEXT' | 'REASONING' | 'ARGUMENTS' | 'OUTPUT';

/** Receives each message of a topic. Must not throw and must not block. */
export type BusListener = (message: BusMessage) => void;

/**
 * Carries hints between processes. A message may be lost, duplicated or reordered: a listener that depends on its content
 * reads the database. A driver that may have lost messages sends a `gap` to the listeners concerned.
 */
export interface Bus {
  /** Sends to all listeners of the topic, in all processes. Never throws and never blocks. */
  publish(topic: string, message: BusMessage): void;
  /** Subscribes to a topic. Returns the function that unsubscribes; a second call has no effect. */
  subscribe(topic: string, listener: BusListener): () => void;
  close(): Promise<void>;
}

/** The topic of a thread's events and deltas. */
export const threadTopic = (threadId: string) => threadId;
/** The topic of cancellation requests, for workers. */
export const cancelTopic = 'cancel';
