import type { Message, Run } from '../../db/generated/client.ts';

/** What `messagesAfter` needs to know of the run that wrote a message. */
export const withInputThrough = { run: { select: { inputThrough: true } } } as const;

/** What stands behind a message in the conversation: the answer to a run stands behind what the run was asked. */
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
