import type { Annotation as StoredAnnotation } from '../../domain/thread/annotation.ts';
import type { MessagePart } from '../../domain/thread/content.ts';
import { builder } from '../builder.ts';
import { File, filesById } from './file.ts';

/** A mark whose file is there. */
type Mark = StoredAnnotation & { file: typeof File.$inferType };

/** A part with what the message knows of it. */
export type ShownPart = MessagePart & { annotations?: StoredAnnotation[] };

const Annotation = builder.interfaceRef<Mark>('Annotation').implement({
  description: 'A mark on a piece of a text.',
  fields: (t) => ({
    startIndex: t.exposeInt('startIndex', { description: 'Where the marked piece begins, in UTF-16 code units.' }),
    endIndex: t.exposeInt('endIndex', { description: 'Where it ends: the unit behind its last.' }),
    text: t.exposeString('text', { description: 'The marked piece.' }),
  }),
  resolveType: ({ type }) => (type === 'citation' ? 'FileCitation' : 'FilePath'),
});

builder.objectRef<Extract<Mark, { type: 'citation' }>>('FileCitation').implement({
  description: 'The piece rests on a passage of a file.',
  interfaces: [Annotation],
  fields: (t) => ({
    file: t.field({ type: File, description: 'The file.', resolve: ({ file }) => file }),
    quote: t.exposeString('quote', { description: 'The passage, as far as the model was told it.' }),
    score: t.exposeFloat('score', {
      nullable: true,
      description: 'How well the passage fits: 0 to 1; null: not known.',
    }),
  }),
});

builder.objectRef<Extract<Mark, { type: 'path' }>>('FilePath').implement({
  description: 'The piece names a file that a tool wrote.',
  interfaces: [Annotation],
  fields: (t) => ({ file: t.field({ type: File, description: 'The file.', resolve: ({ file }) => file }) }),
});

const TextContent = builder.objectRef<Extract<ShownPart, { type: 'text' }>>('TextContent').implement({
  description: 'A text.',
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The text.' }),
    annotations: t.field({
      type: [Annotation],
      description: 'Marks on pieces of it, in their order; those whose file has been deleted are gone.',
      resolve: async ({ annotations = [] }, _args, ctx): Promise<Mark[]> => {
        const files = await Promise.all(annotations.map(({ fileId }) => ctx.load(filesById, fileId)));
        return annotations.flatMap((annotation, index) => {
          const file = files[index];
          return file ? [{ ...annotation, file }] : [];
        });
      },
    }),
  }),
});

const ImageContent = builder.objectRef<Extract<ShownPart, { type: 'image' | 'file' }>>('ImageContent').implement({
  description: 'An image.',
  fields: (t) => ({
    url: t.string({
      description: 'Where it is: an address, for a stored file one that is good for a while, or a data: URL.',
      resolve: (part, _args, ctx) => (part.type === 'file' ? ctx.fileLinks.linkTo(part.fileId) : part.url),
    }),
    file: t.field({
      type: File,
      nullable: true,
      description: 'The stored file, if it is one and has not been deleted.',
      resolve: (part, _args, ctx) => (part.type === 'file' ? ctx.load(filesById, part.fileId) : null),
    }),
    detail: t.exposeString('detail', {
      nullable: true,
      description: 'How closely the model looks at it; null: it decides.',
    }),
  }),
});

const RefusalContent = builder.objectRef<Extract<ShownPart, { type: 'refusal' }>>('RefusalContent').implement({
  description: 'The model refused to answer.',
  fields: (t) => ({ refusal: t.exposeString('refusal', { description: 'In its words.' }) }),
});

const byType = { text: TextContent, image: ImageContent, file: ImageContent, refusal: RefusalContent };

/** A part of a message. */
export const MessageContent = builder.unionType('MessageContent', {
  description: 'A part of a message.',
  types: [TextContent, ImageContent, RefusalContent],
  resolveType: (part) => byType[(part as MessagePart).type],
});
