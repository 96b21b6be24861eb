import { z } from 'zod';
import type { AddressedMessage } from './outbox.ts';

const text = z.string();
const entry = z.looseObject({ seq: z.int(), type: text, at: text });
const addressedMessage = z.tuple([
  text,
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('events'), seq: z.int(), entries: z.array(entry).optional() }),
    z.object({
      kind: z.literal('delta'),
      ownerId: text,
      channel: z.enum(['TEXT', 'REASONING', 'ARGUMENTS', 'OUTPUT']),
      offset: z.int(),
      text,
    }),
    z.object({ kind: z.literal('cancel'), runId: text }),
    z.object({ kind: z.literal('gap') }),
  ]),
]);
const payloadShape = z.tuple([text, z.array(addressedMessage)]);

/** Parses a payload; null: it is not one of this version of the server. */
export function readPayload(payload: string): [sender: string, messages: AddressedMessage[]] | null {
  try {
    const read = payloadShape.safeParse(JSON.parse(payload));
    return read.success ? (read.data as [string, AddressedMessage[]]) : null;
  } catch {
    return null;
  }
}
