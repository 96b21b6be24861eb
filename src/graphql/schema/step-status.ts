import { builder } from '../builder.ts';

/** What a step is. */
export const StepType = builder.enumType('StepType', {
  description: 'What a step is.',
  values: {
    MESSAGE_CREATION: { description: 'The model writes a message.' },
    TOOL_CALLS: { description: 'The model calls tools.' },
  } as const,
});

/** Where a step or a call stands. */
export const StepStatus = builder.enumType('StepStatus', {
  description: 'Where a step or a call stands.',
  values: {
    IN_PROGRESS: { description: 'It is under way.' },
    COMPLETED: { description: 'It is done.' },
    FAILED: { description: 'Something went wrong.' },
    CANCELLED: { description: 'Its run was cancelled.' },
    EXPIRED: { description: 'Its run waited too long.' },
  } as const,
});
