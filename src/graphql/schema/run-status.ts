import { builder } from '../builder.ts';

/** The state of a run. */
export const RunStatus = builder.enumType('RunStatus', {
  description:
    'The state of a run. CANCELLED, FAILED, COMPLETED, INCOMPLETE and EXPIRED are terminal: the run has ended and does not change any more.',
  values: {
    QUEUED: { description: 'Waits for a worker, or for the earlier runs of its thread.' },
    IN_PROGRESS: { description: 'A worker executes the run.' },
    REQUIRES_ACTION: {
      description:
        'Waits for the outputs of the calls in `requiredAction`, until `expiresAt`. Resume with submitToolOutputs.',
    },
    CANCELLING: { description: 'Cancellation was requested; the worker is about to stop.' },
    CANCELLED: { description: 'Terminal: a client cancelled the run, or a change of its thread did.' },
    FAILED: { description: 'Terminal: an error ended the run; see `lastError`.' },
    COMPLETED: { description: 'Terminal: the model finished its answer.' },
    INCOMPLETE: { description: 'Terminal: the run reached a limit; see `incompleteReason`.' },
    EXPIRED: {
      description:
        'Terminal: tool outputs did not arrive before `expiresAt`, or the run took longer than `maxRunSeconds`.',
    },
  } as const,
});
