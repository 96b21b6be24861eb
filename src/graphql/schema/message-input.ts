import { builder } from '../builder.ts';

/** Whose words a message is. */
export const MessageRole = builder.enumType('MessageRole', {
  description: 'Whose words a message is.',
  values: {
    USER: { description: 'The person.' },
    ASSISTANT: { description: 'The model.' },
    SYSTEM: { description: 'The one who runs the conversation: an instruction in the middle of it.' },
  } as const,
});

/** A part of a content of an input. */
export const MessageContentInput = builder.inputType('MessageContentInput', {
  description: 'One part of a content: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    text: t.string({ description: 'A text.' }),
    imageUrl: t.string({ description: 'An image: an http(s) address or a data: URL.' }),
    imageFileId: t.id({ description: 'An image that has been stored here.' }),
  }),
});

/** A message of an input. */
export const MessageInput = builder.inputType('MessageInput', {
  description: 'A message: its text or its content, one of the two.',
  fields: (t) => ({
    role: t.field({ type: MessageRole, defaultValue: 'USER', description: 'Whose words it is.' }),
    text: t.string({ description: 'Its text: 1 to 256,000 characters.' }),
    content: t.field({ type: [MessageContentInput], description: 'Its parts: up to 100.' }),
    fileIds: t.idList({ description: 'Files to attach.' }),
    metadata: t.field({ type: 'Metadata', description: 'Your own pairs.' }),
  }),
});
