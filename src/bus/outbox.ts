import type { BusMessage } from './bus.ts';
import type { LinkDriver, OutgoingPayload } from './link.ts';

/** A message with its topic. On `everyTopic` it is for all listeners. */
export type AddressedMessage = [topic: string, message: BusMessage];

/** The topic that reaches the listeners of all topics. */
export const everyTopic = '*';

/** An upper bound of the bytes of a payload with one delta, without the delta's text. */
const overheadBytes = 300;

/** Collects messages to send. It joins adjacent deltas of a text and packs messages into few payloads. */
export class Outbox {
  readonly #driver: Pick<LinkDriver, 'channelOf' | 'maxPayloadBytes'>;
  readonly #maxWaiting: number;
  /** The limit of a delta, in UTF-16 code units: JSON takes up to six bytes for each (`\\u0001`). */
  readonly #maxDeltaLength: number;
  #waiting: AddressedMessage[] = [];
  #lastOf = new Map<string, BusMessage>();

  /** `maxWaiting`: with more messages than this, all are replaced by one gap. */
  constructor(driver: Pick<LinkDriver, 'channelOf' | 'maxPayloadBytes'>, maxWaiting: number) {
    this.#driver = driver;
    this.#maxWaiting = maxWaiting;
    this.#maxDeltaLength = Math.floor((driver.maxPayloadBytes - overheadBytes) / 6);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(topic: string, message: BusMessage): void {
    for (const part of inParts(message, this.#maxDeltaLength)) this.#append(topic, part);
  }

  #append(topic: string, message: BusMessage): void {
    const last = this.#lastOf.get(topic);
    if (last && join(last, message, this.#maxDeltaLength)) return;
    const own = { ...message };
    if (own.kind === 'events') delete own.here;
    this.#waiting.push([topic, own]);
    this.#lastOf.set(topic, own);
    if (this.#waiting.length > this.#maxWaiting) this.replaceByGap();
  }

  /** Replaces all messages by one gap for all listeners. */
  replaceByGap(): void {
    this.#waiting = [[everyTopic, { kind: 'gap' }]];
    this.#lastOf = new Map();
  }

  /** Removes all messages and returns them as payloads. A message that fits into no payload becomes a gap of its topic. */
  drain(sender: string): OutgoingPayload[] {
    const { channelOf, maxPayloadBytes } = this.#driver;
    const byChannel = Map.groupBy(this.#waiting, ([topic]) => channelOf(topic));
    this.#waiting = [];
    this.#lastOf = new Map();
    return [...byChannel].flatMap(([channel, messages]) =>
      payloadsOf(sender, messages, maxPayloadBytes).map((payload): OutgoingPayload => [channel, payload]),
    );
  }
}

function payloadsOf(sender: string, messages: AddressedMessage[], maxBytes: number): string[] {
  const frame = Buffer.byteLength(JSON.stringify([sender, []]));
  const payloads: string[] = [];
  let entries: string[] = [];
  let size = frame;
  const close = () => {
    if (entries.length > 0) payloads.push(`[${JSON.stringify(sender)},[${entries.join(',')}]]`);
    entries = [];
    size = frame;
  };
  for (const [topic, message] of messages) {
    const text = JSON.stringify([topic, message]);
    const isTooLong = frame + Buffer.byteLength(text) > maxBytes;
    const entry = isTooLong ? JSON.stringify([topic, { kind: 'gap' }]) : text;
    const bytes = Buffer.byteLength(entry) + 1;
    if (size + bytes > maxBytes) close();
    entries.push(entry);
    size += bytes;
  }
  close();
  return payloads;
}

/** Splits a long delta into several, none of which splits a surrogate pair. */
function inParts(message: BusMessage, maxLength: number): BusMessage[] {
  if (message.kind !== 'delta' || message.text.length <= maxLength) return [message];
  const parts: BusMessage[] = [];
  for (let start = 0; start < message.text.length; ) {
    const end = start + maxLength;
    const isSplit = /[\ud800-\udbff]$/.test(message.text.slice(start, end)) && end < message.text.length;
    const text = message.text.slice(start, isSplit ? end - 1 : end);
    parts.push({ ...message, offset: message.offset + start, text });
    start += text.length;
  }
  return parts;
}

/** Appends a delta to the one before it on its topic if they are adjacent. Returns whether it did. */
function join(last: BusMessage, next: BusMessage, maxLength: number): boolean {
  if (last.kind !== 'delta' || next.kind !== 'delta') return false;
  const isNext = last.ownerId === next.ownerId && last.channel === next.channel;
  const fits = last.text.length + next.text.length <= maxLength;
  if (!isNext || !fits || last.offset + last.text.length !== next.offset) return false;
  last.text += next.text;
  return true;
}
