import { builder } from '../builder.ts';

/** Whether an answer was good. */
export const FeedbackRatingEnum = builder.enumType('FeedbackRating', {
  description: 'Whether an answer was good.',
  values: {
    UP: { description: 'The answer was good.' },
    DOWN: { description: 'The answer was not good.' },
  } as const,
});
