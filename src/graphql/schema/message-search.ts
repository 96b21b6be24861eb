import { queryFromInfo } from '@pothos/plugin-prisma';
import type { Message as MessageRow } from '../../db/generated/client.ts';
import { requireScope } from '../../domain/access/access.ts';
import { messageSearch, readSnippets, type Snippet, type TextRange } from '../../domain/thread/search-messages.ts';
import { builder } from '../builder.ts';
import { type ListOrder, planPage } from '../connection.ts';
import { planList } from '../planned-rows.ts';
import { Message } from './message.ts';
import { MessageRole } from './message-input.ts';

const TextRangeType = builder.objectRef<TextRange>('TextRange').implement({
  description: 'A range of a text, in UTF-16 code units.',
  fields: (t) => ({
    startIndex: t.exposeInt('startIndex', { description: 'The start of the range, from 0.' }),
    endIndex: t.exposeInt('endIndex', { description: 'The end of the range, exclusive.' }),
  }),
});

type Hit = { id: string; createdAt: Date; message: MessageRow; snippet: Snippet };

const MessageSearchHit = builder.objectRef<Hit>('MessageSearchHit').implement({
  description: 'A message that a search found.',
  fields: (t) => ({
    message: t.field({
      type: Message,
      description: 'The message. Its `thread` and `position` are where to jump to.',
      resolve: ({ message }) => message,
    }),
    snippet: t.string({
      description: 'The part of the text around the first word of the query: at most 240 characters.',
      resolve: ({ snippet }) => snippet.text,
    }),
    ranges: t.field({
      type: [TextRangeType],
      description: 'Where the words of the query are in the snippet, in order: mark them.',
      resolve: ({ snippet }) => snippet.ranges,
    }),
  }),
});

const MessageSearchFilter = builder.inputType('MessageSearchFilter', {
  description: 'Selects the messages to search: those that meet all of the given conditions.',
  fields: (t) => ({
    threadId: t.id({ description: 'The thread of the message.' }),
    owner: t.string({ description: 'The owner of the thread: at most 256 characters.' }),
    role: t.field({ type: MessageRole, description: 'The author of the message.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only messages that were created later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only messages that were created earlier.' }),
  }),
});

const edge = builder.edgeObject({
  type: MessageSearchHit,
  name: 'MessageSearchEdge',
  description: 'One message that a search found, with its cursor.',
});
const connection = builder.connectionObject(
  { type: MessageSearchHit, name: 'MessageSearchConnection', description: 'A page of messages that a search found.' },
  edge,
);

const newestFirst: ListOrder = {
  list: 'search',
  columns: [
    { name: 'createdAt', type: 'time' },
    { name: 'id', type: 'text' },
  ],
  direction: 'DESC',
};
const paths = [
  ['nodes', 'message'],
  ['edges', 'node', 'message'],
];

builder.queryField('searchMessages', (t) =>
  t.connection(
    {
      type: MessageSearchHit,
      description:
        'Finds messages by their text, newest first: those that contain every word of the query, case-insensitive, also as a part of a longer word, in any script. Messages that are still being written are not found. Invalid arguments are refused with BAD_USER_INPUT. Searches all messages that the filter selects: narrow it in a large workspace.',
      args: {
        query: t.arg.string({
          required: true,
          description:
            'The words to find, separated by spaces: 1 to 200 characters. Words after the eighth are ignored.',
        }),
        filter: t.arg({
          type: MessageSearchFilter,
          description: 'Which messages to search. Omit for all that you may see.',
        }),
      },
      resolve: async (_root, { query, filter, ...args }, ctx, info) => {
        requireScope(ctx, 'THREADS_READ');
        const { words, where } = messageSearch(ctx, { query, filter });
        const page = planPage(newestFirst, args, '');
        const plan = planList(page.query.take, () => queryFromInfo({ context: ctx, info, paths, typeName: 'Message' }));
        const { select = {} } = plan as { select?: object };
        const columns = { ...select, id: true, createdAt: true };
        const found = { ...page.query, where: { AND: [where, page.query.where] }, select: columns };
        const messages = (await ctx.db.message.findMany(found as never)) as MessageRow[];
        const ids = messages.map(({ id }) => id);
        const snippets = await readSnippets(ctx, words, ids);
        const hits = messages.flatMap((message): Hit[] => {
          const { id, createdAt } = message;
          const snippet = snippets.get(id);
          return snippet ? [{ id, createdAt, message, snippet }] : [];
        });
        return page.connection(hits, () => ctx.db.message.count({ where })) as never;
      },
    },
    connection,
    edge,
  ),
);
