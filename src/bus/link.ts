/** What a link tells whoever opened it. */
export interface LinkListener {
  /** A payload has come in. */
  onPayload(payload: string): void;
  /** The link no longer carries anything; said once, or more often. */
  onLost(error: Error): void;
}

/** A text on its way, on a channel. */
export type OutgoingPayload = [channel: string, payload: string];

/** A connection that carries texts between processes, until it is lost. Texts may come back to whoever sent them. */
export interface Link {
  /** Sends in order. Rejects when the link is lost. */
  send(parcels: OutgoingPayload[]): Promise<void>;
  /** Hears what is sent on these channels from when it resolves. Absent: a link that hears everything. */
  listen?(channels: string[]): Promise<void>;
  unlisten?(channels: string[]): Promise<void>;
  /** Rejects when nobody answers at the other end. */
  ping(): Promise<void>;
  /** Lets go of the connection, whatever state it is in. */
  close(): Promise<void>;
}

/** A kind of link, and what it can carry. */
export interface LinkDriver {
  /** Connects. Throws when there is nothing to connect to. */
  open(listener: LinkListener): Promise<Link>;
  /** The channel for what is said on a topic. */
  channelOf(topic: string): string;
  /** Of one payload, in UTF-8. */
  readonly maxPayloadBytes: number;
}

/** The promise, or a rejection when it takes longer than an answer may. */
export async function withAnswerTimeout<T>(promise: Promise<T>, answerMs: number): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${answerMs} ms`)), answerMs);
  return Promise.race([promise, tooLate]).finally(() => clearTimeout(timer));
}
