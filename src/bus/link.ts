/** Receives what happens on a link. */
export interface LinkListener {
  /** A payload was received. */
  onPayload(payload: string): void;
  /** The link is lost. May be called several times. */
  onLost(error: Error): void;
}

/** A payload to send on a channel. */
export type OutgoingPayload = [channel: string, payload: string];

/** A connection that carries payloads between processes until it is lost. A sender may receive its own payloads. */
export interface Link {
  /** Sends in order. Rejects when the link is lost. */
  send(payloads: OutgoingPayload[]): Promise<void>;
  /** Subscribes to channels; payloads arrive from the moment it resolves. Absent: the link receives all channels. */
  listen?(channels: string[]): Promise<void>;
  unlisten?(channels: string[]): Promise<void>;
  /** Rejects when the other end does not answer. */
  ping(): Promise<void>;
  /** Closes the connection, in any state. */
  close(): Promise<void>;
}

/** Opens links of one kind, and names their limits. */
export interface LinkDriver {
  /** Connects. Throws when the other end cannot be reached. */
  open(listener: LinkListener): Promise<Link>;
  /** The channel that carries a topic. */
  channelOf(topic: string): string;
  /** The limit of one payload, in bytes of UTF-8. */
  readonly maxPayloadBytes: number;
}

/** Settles with the promise, or rejects after `answerMs`. */
export async function withAnswerTimeout<T>(promise: Promise<T>, answerMs: number): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${answerMs} ms`)), answerMs);
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
