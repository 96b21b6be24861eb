import type { FeedbackRating, Message as MessageRow } from '../../db/generated/client.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { setMessageFeedback } from '../../domain/thread/feedback.ts';
import { builder } from '../builder.ts';
import { nodePayload, resultErrors } from '../result-union.ts';
import { FeedbackRatingEnum } from './feedback-rating.ts';
import { Message } from './message.ts';

type Columns = Pick<MessageRow, 'feedbackComment' | 'feedbackBy' | 'feedbackAt'> & { feedback: FeedbackRating };

const Feedback = builder.objectRef<Columns>('Feedback').implement({
  description: 'What a person thinks of an answer.',
  fields: (t) => ({
    rating: t.expose('feedback', { type: FeedbackRatingEnum, description: 'Whether the answer was good.' }),
    comment: t.exposeString('feedbackComment', { nullable: true, description: 'The reason. Null: none was given.' }),
    userId: t.exposeString('feedbackBy', {
      nullable: true,
      description: 'The end user who gave the feedback. Null: an API key did.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the feedback was given.',
      resolve: ({ feedbackAt }) => feedbackAt as Date,
    }),
  }),
});

builder.prismaObjectField(Message, 'feedback', (t) =>
  t.field({
    type: Feedback,
    nullable: true,
    description: 'The latest feedback on the answer. Null: none.',
    select: { feedback: true, feedbackComment: true, feedbackBy: true, feedbackAt: true },
    resolve: (message) => (message.feedback === null ? null : (message as Columns)),
  }),
);

const SetMessageFeedbackInput = builder.inputType('SetMessageFeedbackInput', {
  description: 'Your feedback on an answer.',
  fields: (t) => ({
    messageId: t.id({ required: true, description: 'The answer: a message with the role ASSISTANT.' }),
    rating: t.field({
      type: FeedbackRatingEnum,
      description: 'Whether the answer was good. Null removes the feedback.',
    }),
    comment: t.string({ description: 'The reason: at most 2,000 characters. Refused without a rating.' }),
  }),
});

builder.mutationField('setMessageFeedback', (t) =>
  t.field({
    type: nodePayload('SetMessageFeedbackPayload', 'threadMessage', Message, 'The answer with its feedback.'),
    description:
      'Sets the feedback on an answer, or removes it. An answer has one feedback: a new one replaces it. Refused with NotFoundError for a message that no model wrote. Find answers by it with `messages(filter: { feedback: DOWN })`.',
    errors: resultErrors('SetMessageFeedback', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: SetMessageFeedbackInput, required: true, description: 'Your feedback.' }) },
    resolve: async (_root, { input }, ctx) => ({ threadMessage: await setMessageFeedback(ctx, input) }),
  }),
);
