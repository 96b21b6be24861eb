import type { BusMessage } from './bus.ts';

/** A message on its way, with its topic; on `everyTopic` it is for all listeners. */
export type Posted = [topic: string, message: BusMessage];

/** The topic of what everybody should hear. */
export const everyTopic = '*';

/** In UTF-16 code units: most of six bytes each, as JSON writes the odd ones, still fit into a payload. */
const maxPieceLength = 1200;

/** What waits to be sent: neighbouring pieces of a text are joined, and all of it goes in few payloads. */
export class Outbox {
  readonly #maxPayloadBytes: number;
  readonly #maxWaiting: number;
  #waiting: Posted[] = [];
  #lastOf = new Map<string, BusMessage>();

  /** `maxPayloadBytes`: of one payload, in UTF-8; `maxWaiting`: messages beyond that many are told as one gap. */
  constructor(maxPayloadBytes: number, maxWaiting: number) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#maxWaiting = maxWaiting;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(topic: string, message: BusMessage): void {
    for (const part of inParts(message)) this.#post(topic, part);
  }

  #post(topic: string, message: BusMessage): void {
    const last = this.#lastOf.get(topic);
    if (last && joined(last, message)) return;
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
  take(sender: string): string[] {
    const posted = this.#waiting;
    this.#waiting = [];
    this.#lastOf = new Map();
    const payloads: string[] = [];
    const frame = Buffer.byteLength(JSON.stringify([sender, []]));
    let entries: string[] = [];
    let size = frame;
    const close = () => {
      if (entries.length > 0) payloads.push(`[${JSON.stringify(sender)},[${entries.join(',')}]]`);
      entries = [];
      size = frame;
    };
    for (const [topic, message] of posted) {
      const text = JSON.stringify([topic, message]);
      const isTooLong = frame + Buffer.byteLength(text) > this.#maxPayloadBytes;
      const entry = isTooLong ? JSON.stringify([topic, { kind: 'gap' }]) : text;
      const bytes = Buffer.byteLength(entry) + 1;
      if (size + bytes > this.#maxPayloadBytes) close();
      entries.push(entry);
      size += bytes;
    }
    close();
    return payloads;
  }
}

/** A long piece as several, none of which ends in the middle of a character. */
function inParts(message: BusMessage): BusMessage[] {
  if (message.kind !== 'piece' || message.text.length <= maxPieceLength) return [message];
  const parts: BusMessage[] = [];
  for (let start = 0; start < message.text.length; ) {
    const end = start + maxPieceLength;
    const isSplit = /[\ud800-\udbff]$/.test(message.text.slice(start, end)) && end < message.text.length;
    const text = message.text.slice(start, isSplit ? end - 1 : end);
    parts.push({ ...message, offset: message.offset + start, text });
    start += text.length;
  }
  return parts;
}

/** Puts a message into the one before it on its topic, where that says the same to whoever hears it. */
function joined(last: BusMessage, next: BusMessage): boolean {
  if (last.kind !== 'piece' || next.kind !== 'piece') return false;
  const isNext = last.ownerId === next.ownerId && last.channel === next.channel;
  const fits = last.text.length + next.text.length <= maxPieceLength;
  if (!isNext || !fits || last.offset + last.text.length !== next.offset) return false;
  last.text += next.text;
  return true;
}
