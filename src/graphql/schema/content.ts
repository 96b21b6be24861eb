import type { Annotation as StoredAnnotation } from '../../domain/thread/annotation.ts';
import type { MessagePart } from '../../domain/thread/content.ts';
import { builder } from '../builder.ts';
import { File, filesById } from './file.ts';

/** An annotation with its file. */
type ShownAnnotation = StoredAnnotation & { file: typeof File.$inferType };

/** A part of a message, with the annotations of its text. */
export type ShownPart = MessagePart & { annotations?: StoredAnnotation[] };

const Annotation = builder.interfaceRef<ShownAnnotation>('Annotation').implement({
  description: 'A reference from a range of a text to a file.',
  fields: (t) => ({
    startIndex: t.exposeInt('startIndex', {
      description: 'The start of the range in the text, in UTF-16 code units from 0.',
    }),
    endIndex: t.exposeInt('endIndex', { description: 'The end of the range, exclusive, in UTF-16 code units.' }),
    text: t.exposeString('text', { description: 'The text of the range.' }),
  }),
  resolveType: ({ type }) => (type === 'citation' ? 'FileCitation' : 'FilePath'),
});

builder.objectRef<Extract<ShownAnnotation, { type: 'citation' }>>('FileCitation').implement({
  description: 'A citation: the range is a mark such as `【1:2】`, which cites a passage that file_search found.',
  interfaces: [Annotation],
  fields: (t) => ({
    file: t.field({ type: File, description: 'The file that contains the passage.', resolve: ({ file }) => file }),
    quote: t.exposeString('quote', { description: 'The text of the passage.' }),
    score: t.exposeFloat('score', {
      nullable: true,
      description: 'The relevance of the passage to the search, from 0 to 1. Null: not known.',
    }),
  }),
});

builder.objectRef<Extract<ShownAnnotation, { type: 'path' }>>('FilePath').implement({
  description: 'A file path: the range names a file that a tool of the run wrote.',
  interfaces: [Annotation],
  fields: (t) => ({
    file: t.field({ type: File, description: 'The file that the path names.', resolve: ({ file }) => file }),
  }),
});

const TextContent = builder.objectRef<Extract<ShownPart, { type: 'text' }>>('TextContent').implement({
  description: 'A text.',
  fields: (t) => ({
    text: t.exposeString('text', { description: 'The text. Annotations count its UTF-16 code units.' }),
    annotations: t.field({
      type: [Annotation],
      description: 'The references to files in the text, in order. Annotations of deleted files are left out.',
      resolve: async ({ annotations = [] }, _args, ctx): Promise<ShownAnnotation[]> => {
        const files = await Promise.all(annotations.map(({ fileId }) => ctx.load(filesById, fileId)));
        return annotations.flatMap((annotation, index) => {
          const file = files[index];
          return file ? [{ ...annotation, file }] : [];
        });
      },
    }),
  }),
});

const ImageDetail = builder.enumType('ImageDetail', {
  description: 'The resolution at which a model reads an image.',
  values: {
    AUTO: { value: 'auto', description: 'The provider decides by the size of the image.' },
    LOW: { value: 'low', description: 'A reduced image: few tokens.' },
    HIGH: { value: 'high', description: 'The whole image, in parts: many tokens.' },
  } as const,
});

const ImageContent = builder.objectRef<Extract<ShownPart, { type: 'image' | 'file' }>>('ImageContent').implement({
  description: 'An image: a stored file, or an image at a URL.',
  fields: (t) => ({
    url: t.string({
      description:
        'The URL of the image: as the client sent it (http(s) or data:), or for a stored file a signed URL that is valid for 15 to 30 minutes.',
      resolve: (part, _args, ctx) => (part.type === 'file' ? ctx.fileLinks.linkTo(part.fileId) : part.url),
    }),
    file: t.field({
      type: File,
      nullable: true,
      description: 'The stored file. Null: the image is at a URL, or the file was deleted.',
      resolve: (part, _args, ctx) => (part.type === 'file' ? ctx.load(filesById, part.fileId) : null),
    }),
    detail: t.expose('detail', {
      type: ImageDetail,
      nullable: true,
      description: 'The resolution at which the model reads the image. Null: the default of the provider.',
    }),
  }),
});

const RefusalContent = builder.objectRef<Extract<ShownPart, { type: 'refusal' }>>('RefusalContent').implement({
  description: 'The refusal of the model to answer.',
  fields: (t) => ({ refusal: t.exposeString('refusal', { description: 'The explanation of the model.' }) }),
});

const byType = { text: TextContent, image: ImageContent, file: ImageContent, refusal: RefusalContent };

/** A part of the content of a message. */
export const MessageContent = builder.unionType('MessageContent', {
  description: 'A part of the content of a message.',
  types: [TextContent, ImageContent, RefusalContent],
  resolveType: (part) => byType[(part as MessagePart).type],
});
