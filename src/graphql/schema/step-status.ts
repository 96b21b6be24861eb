import { builder } from '../builder.ts';

/** The type of a step. */
export const StepType = builder.enumType('StepType', {
  description: 'The type of a step.',
  values: {
    MESSAGE_CREATION: { description: 'The model writes a message.' },
    TOOL_CALLS: { description: 'The model calls tools: the server runs its own, the client runs functions.' },
  } as const,
});

/** The status of a step or a tool call. */
export const StepStatus = builder.enumType('StepStatus', {
  description: 'The status of a step or a tool call. All but IN_PROGRESS are terminal.',
  values: {
    IN_PROGRESS: { description: 'The model responds, or tools run, or the run waits for tool outputs.' },
    COMPLETED: { description: 'The step or call is complete.' },
    FAILED: { description: 'The step or call failed; `lastError` or `error` has the reason.' },
    CANCELLED: { description: 'The run was cancelled.' },
    EXPIRED: { description: 'The run expired: no tool outputs came in time, or the run took too long.' },
  } as const,
});
