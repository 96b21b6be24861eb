import type { MessagePart } from '../domain/message.ts';
import { builder } from './builder.ts';
import { File, type StoredFile } from './file.ts';

interface Mark {
  kind: 'citation' | 'path';
  startIndex: number;
  endIndex: number;
  text: string;
  file: StoredFile;
  quote: string;
  score: number | null;
}

const Annotation = builder.interfaceRef<Mark>('Annotation').implement({
  description: 'A mark on a piece of a text.',
  fields: (t) => ({
    startIndex: t.exposeInt('startIndex', { description: 'Where the marked piece begins, in UTF-16 code units.' }),
    endIndex: t.exposeInt('endIndex', { description: 'Where it ends: the unit behind its last.' }),
    text: t.exposeString('text', { description: 'The marked piece.' }),
  }),
  resolveType: ({ kind }) => (kind === 'citation' ? 'FileCitation' : 'FilePath'),
});

builder.objectRef<Mark>('FileCitation').implement({
  description: 'The piece rests on a passage of a file.',
  interfaces: [Annotation],
  fields: (t) => ({
    file: t.field({ type: File, description: 'The file.', resolve: ({ file }) => file }),
    quote: t.exposeString('quote', { description: 'The passage.' }),
    score: t.exposeFloat('score', {
      nullable: true,
      description: 'How well the passage fits: 0 to 1; null: not known.',
    }),
  }),
});

builder.objectRef<Mark>('FilePath').implement({
  description: 'The piece names a file that a tool wrote.',
  interfaces: [Annotation],
  fields: (t) => ({ file: t.field({ type: File, description: 'The file.', resolve: ({ file }) => file }) }),
});

const TextContent = builder.objectRef<Extract<MessagePart, { type: 'text' }>>('TextContent').implement({
  description: 'A text.',
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The text.' }),
    annotations: t.field({ type: [Annotation], description: 'Marks on pieces of it.', resolve: () => [] }),
  }),
});

const ImageContent = builder.objectRef<Extract<MessagePart, { type: 'image' }>>('ImageContent').implement({
  description: 'An image.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Where it is: an address or a data: URL.' }),
    file: t.field({ type: File, nullable: true, description: 'The stored file, if it is one.', resolve: () => null }),
    detail: t.exposeString('detail', {
      nullable: true,
      description: 'How closely the model looks at it; null: it decides.',
    }),
  }),
});

const RefusalContent = builder.objectRef<Extract<MessagePart, { type: 'refusal' }>>('RefusalContent').implement({
  description: 'The model refused to answer.',
  fields: (t) => ({ refusal: t.exposeString('refusal', { description: 'In its words.' }) }),
});

const byType = { text: TextContent, image: ImageContent, refusal: RefusalContent };

/** A part of a message. */
export const MessageContent = builder.unionType('MessageContent', {
  description: 'A part of a message.',
  types: [TextContent, ImageContent, RefusalContent],
  resolveType: (part) => byType[(part as MessagePart).type],
});
