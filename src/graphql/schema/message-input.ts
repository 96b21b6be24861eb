import { builder } from '../builder.ts';
import { metadataDescription } from '../scalar.ts';

/** The author of a message. */
export const MessageRole = builder.enumType('MessageRole', {
  description: 'The author of a message.',
  values: {
    USER: { description: 'The person who talks to the model.' },
    ASSISTANT: { description: 'The model.' },
    SYSTEM: {
      description:
        'The application: an instruction within the conversation, which truncation never leaves out. End users can add, edit and delete it only with the override SYSTEM_MESSAGES.',
    },
  } as const,
});

/** A part of the content of a message in an input. */
const MessageContentInput = builder.inputType('MessageContentInput', {
  description: 'One part of the content of a message: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    text: t.string({
      description: 'A text. The texts of a message together have at most 256,000 characters.',
    }),
    imageUrl: t.string({
      description:
        'An image: an http(s) URL, or a data: URL of a PNG, JPEG, GIF or WebP image; at most 4,000,000 characters.',
    }),
    imageFileId: t.id({ description: 'An image that was uploaded with uploadFile: the id of the file.' }),
  }),
});

/** A message in an input. */
export const MessageInput = builder.inputType('MessageInput', {
  description: 'A message: exactly one of `text` and `content`, which must not be empty.',
  fields: (t) => ({
    role: t.field({ type: MessageRole, defaultValue: 'USER', description: 'The author of the message.' }),
    text: t.string({ description: 'The content as one text: 1 to 256,000 characters.' }),
    content: t.field({
      type: [MessageContentInput],
      description: 'The content as at most 100 parts, texts and images, in order.',
    }),
    fileIds: t.idList({ description: 'The files to attach, which tools can read and search: at most 100 ids.' }),
    metadata: t.field({ type: 'Metadata', description: metadataDescription }),
    clientId: t.string({
      description:
        'A name that your client gives the message, unique in the thread: 1 to 200 characters. `Message.clientId` returns it, in responses and in MessageAdded, so that you can show the message before it is stored. createMessage with the clientId of an existing message adds nothing and returns that message; other mutations refuse it with InvalidInputError.',
    }),
  }),
});

/** A message to edit, and its new content. */
export const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'The new content of a message: exactly one of `text` and `content`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The message to edit.' }),
    text: t.string({ description: 'The new content as one text: 1 to 256,000 characters.' }),
    content: t.field({
      type: [MessageContentInput],
      description: 'The new content as at most 100 parts, texts and images, in order.',
    }),
  }),
});
