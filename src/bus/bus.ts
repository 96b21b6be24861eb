/** A row of a thread's log, as it travels. */
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

/** What is said between the process that executes a run and those that follow its thread. */
export type BusMessage =
  /**
   * Rows up to `seq` are in the thread's log: the newest of them are `entries`, in order. `here` is told in this process
   * only: the rows of messages that entries are about, or what is new of them.
   */
  | { kind: 'events'; seq: number; entries?: BusEntry[]; here?: Array<{ seq: number; message: object }> }
  /** A delta of a growing text, already stored: `offset` in UTF-16 code units. */
  | { kind: 'delta'; ownerId: string; channel: TextChannel; offset: number; text: string }
  /** Somebody asks for the run to stop; its row says CANCELLING. */
  | { kind: 'cancel'; runId: string }
  /** Messages may have been lost: whoever listens reads the database. */
  | { kind: 'gap' };

/** Which text of its owner a delta belongs to. */
export type TextChannel = 'TEXT' | 'REASONING' | 'ARGUMENTS' | 'OUTPUT';

/** Called with each message of a topic; must not throw and must not wait. */
export type BusListener = (message: BusMessage) => void;

/**
 * Carries live hints between processes. A hint is never the truth: a message may be lost, doubled or reordered, and
 * whoever depends on what it says reads the database. A driver that knows it lost something says `gap` to every listener.
 */
export interface Bus {
  /** Sends to all listeners of the topic, in this process and others. Never throws, never blocks. */
  publish(topic: string, message: BusMessage): void;
  /** Listens to a topic until the returned function is called; calling that twice is harmless. */
  subscribe(topic: string, listener: BusListener): () => void;
  close(): Promise<void>;
}

/** The topic that followers of a thread listen to. */
export const threadTopic = (threadId: string) => threadId;
/** The topic on which workers hear of runs that somebody asks to stop. */
export const cancelTopic = 'cancel';
