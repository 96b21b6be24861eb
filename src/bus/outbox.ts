import type { BusMessage } from './bus.ts';
import type { LinkDriver, OutgoingPayload } from './link.ts';

/** A message on its way, with its topic; on `everyTopic` it is for all listeners. */
export type AddressedMessage = [topic: string, message: BusMessage];

/** The topic of what everybody should hear. */
export const everyTopic = '*';

/** What of a payload is not the text of a delta, in bytes. */
const overheadBytes = 300;

/** What waits to be sent: neighbouring deltas of a text are joined, and all of it goes in few payloads. */
export class Outbox {
  readonly #driver: Pick<LinkDriver, 'channelOf' | 'maxPayloadBytes'>;
  readonly #maxWaiting: number;
  /** Of a delta, in UTF-16 code units: of six bytes each, as JSON writes the odd ones, they still fit into a payload. */
  readonly #maxDeltaLength: number;
  #waiting: AddressedMessage[] = [];
  #lastOf = new Map<string, BusMessage>();

  /** `maxWaiting`: messages beyond that many are told as one gap. */
  constructor(driver: Pick<LinkDriver, 'channelOf' | 'maxPayloadBytes'>, maxWaiting: number) {
    this.#driver = driver;
    this.#maxWaiting = maxWaiting;
    this.#maxDeltaLength = Math.floor((driver.maxPayloadBytes - overheadBytes) / 6);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(topic: string, message: BusMessage): void {
    for (const part of inParts(message, this.#maxDeltaLength)) this.#post(topic, part);
  }

  #post(topic: string, message: BusMessage): void {
    const last = this.#lastOf.get(topic);
    if (last && joined(last, message, this.#maxDeltaLength)) return;
    const own = { ...message };
    if (own.kind === 'events') delete own.here;
    this.#waiting.push([topic, own]);
    this.#lastOf.set(topic, own);
    if (this.#waiting.length > this.#maxWaiting) this.replaceByGap();
  }

  /** Forgets what waits, and tells everybody that they may have missed something. */
  replaceByGap(): void {
    this.#waiting = [[everyTopic, { kind: 'gap' }]];
    this.#lastOf = new Map();
  }

  /** Takes all that waits, as texts of bounded length. A message that fits into none becomes a gap of its topic. */
  drain(sender: string): OutgoingPayload[] {
    const { channelOf, maxPayloadBytes } = this.#driver;
    const byChannel = Map.groupBy(this.#waiting, ([topic]) => channelOf(topic));
    this.#waiting = [];
    this.#lastOf = new Map();
    return [...byChannel].flatMap(([channel, posted]) =>
      payloadsOf(sender, posted, maxPayloadBytes).map((payload): OutgoingPayload => [channel, payload]),
    );
  }
}

function payloadsOf(sender: string, posted: AddressedMessage[], maxBytes: number): string[] {
  const frame = Buffer.byteLength(JSON.stringify([sender, []]));
  const payloads: string[] = [];
  let entries: string[] = [];
  let size = frame;
  const close = () => {
    if (entries.length > 0) payloads.push(`[${JSON.stringify(sender)},[${entries.join(',')}]]`);
    entries = [];
    size = frame;
  };
  for (const [topic, message] of posted) {
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

/** A long delta as several, none of which ends in the middle of a character. */
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

/** Puts a message into the one before it on its topic, where that says the same to whoever hears it. */
function joined(last: BusMessage, next: BusMessage, maxLength: number): boolean {
  if (last.kind !== 'delta' || next.kind !== 'delta') return false;
  const isNext = last.ownerId === next.ownerId && last.channel === next.channel;
  const fits = last.text.length + next.text.length <= maxLength;
  if (!isNext || !fits || last.offset + last.text.length !== next.offset) return false;
  last.text += next.text;
  return true;
}
