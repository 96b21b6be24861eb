import type { Message, Run } from '../../db/generated/client.ts';

/** The `include` that `messagesAfter` needs: the run that wrote the message. */
export const withInputThrough = { run: { select: { inputThrough: true } } } as const;

/** The `where` of the messages after a message in the conversation. The answer of a run follows the run's input. */
export function messagesAfter(message: Pick<Message, 'position'> & { run: Pick<Run, 'inputThrough'> | null }) {
  const { position, run } = message;
  if (!run) return { position: { gt: position }, OR: [{ runId: null }, { run: { inputThrough: { gte: position } } }] };
  const { inputThrough } = run;
  return {
    OR: [
      { runId: null, position: { gt: inputThrough } },
      { run: { inputThrough: { gt: inputThrough } } },
      { run: { inputThrough }, position: { gt: position } },
    ],
  };
}
