import { builder } from './builder.ts';

/** A stored file, as the graph shows it. */
export interface StoredFile {
  id: string;
  name: string;
  mimeType: string;
  sizeBytes: number;
  url: string;
  createdAt: Date;
}

/** A file that a tool wrote or that somebody attached. No field hands one out yet: this server stores no files. */
export const File = builder.objectRef<StoredFile>('File');
builder.node(File, {
  description: 'A file that somebody attached or that a tool wrote.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  loadOne: () => null,
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, with the ending.' }),
    mimeType: t.exposeString('mimeType', { description: 'Its media type.' }),
    sizeBytes: t.exposeInt('sizeBytes', { description: 'How large it is, in bytes.' }),
    url: t.exposeString('url', { description: 'Where it can be downloaded.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was stored.' }),
  }),
});
