import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import SimpleObjectsPlugin from '@pothos/plugin-simple-objects';
import type PrismaTypes from '../db/generated/pothos-types.ts';
import { getDatamodel } from '../db/generated/pothos-types.ts';
import { InvalidInputError } from '../domain/error.ts';
import type { Upload } from '../files/upload.ts';
import { idKind } from '../id.ts';
import type { GraphContext } from './context.ts';
import { complexityOf, limits, tooComplex } from './limits.ts';
import { permissionsPlugin } from './permissions-plugin.ts';

/** The scalars of the graph, as resolvers see them. */
export type Scalars = {
  ID: { Input: string; Output: string };
  DateTime: { Input: Date; Output: Date };
  JSON: { Input: unknown; Output: unknown };
  Metadata: { Input: Record<string, string>; Output: unknown };
  Decimal: { Input: string; Output: { toString(): string } };
  Upload: { Input: Upload; Output: never };
};

/** The type of node that an id names. What is no id of a node goes to a type that has no node of that id, and is null. */
function nodeTypeOf(id: string): string {
  const kind = idKind(id);
  return kind === null || kind === 'ToolCall' ? 'File' : kind;
}

/** The schema under construction; types add themselves to it when their file is imported. */
export const builder = new SchemaBuilder<{
  Context: GraphContext;
  PrismaTypes: PrismaTypes;
  Scalars: Scalars;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Connection: { totalCount: () => Promise<number> };
}>({
  // Refusals of `needs` are members of result unions, as those of the domain are: it stands inside of `errors`.
  plugins: [ErrorsPlugin, ComplexityPlugin, RelayPlugin, PrismaPlugin, SimpleObjectsPlugin, permissionsPlugin],
  defaultFieldNullability: false,
  errors: { defaultTypes: [], directResult: true },
  complexity: {
    limit: { depth: limits.depth, complexity: limits.cost },
    fieldComplexity: complexityOf,
    complexityError: tooComplex,
  },
  prisma: { client: (ctx) => ctx.db as never, dmmf: getDatamodel() },
  relay: {
    // Ids are global as they are: their prefix says what they name.
    idFieldOptions: { description: 'The id: a prefix that says what it names, and a UUIDv7 (TypeID).' },
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: nodeTypeOf(id), id }),
    cursorType: 'String',
    nodesOnConnection: { description: 'The things themselves, without their edges.' },
    edgesFieldOptions: { nullable: { list: false, items: false }, description: 'The things with their cursors.' },
    nodeFieldOptions: { nullable: false, description: 'The thing itself.' },
    cursorFieldOptions: { description: 'The place in the list, for `after` and `before`.' },
    pageInfoFieldOptions: { description: 'Where this page stands in the list.' },
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    hasNextPageFieldOptions: { description: 'Whether there is more behind this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there is more before this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first on this page.' },
    endCursorFieldOptions: { description: 'The cursor of the last on this page.' },
    firstArgOptions: { description: 'How many from the start, or from `after` on: at most 100. Default 20.' },
    lastArgOptions: { description: 'How many from the end, or up to `before`: at most 100.' },
    afterArgOptions: { description: 'Only what stands behind this cursor.' },
    beforeArgOptions: { description: 'Only what stands before this cursor.' },
    nodeTypeOptions: { description: 'Anything that has an id.' },
    nodeQueryOptions: {
      description: 'Whatever the id names; null when it names nothing that you may see.',
      args: { id: { description: 'An id of any kind: its prefix says which.' } },
    },
    nodesQueryOptions: {
      description: 'Whatever the ids name, in their order; null where one names nothing that you may see.',
      nullable: { list: false, items: true },
      args: { ids: { description: 'Up to 100 ids of any kinds.' } },
      resolve: (_root, { ids }, _ctx, _info, resolveNodes) => {
        if (ids.length > limits.pageSize)
          throw InvalidInputError.at('ids', `Give at most ${limits.pageSize} ids at once.`);
        return resolveNodes(ids) as Promise<unknown[]>;
      },
    },
  },
});

builder.queryType({ description: 'Reading.' });
builder.mutationType({
  description:
    'Changing. Each mutation takes one `input` and answers its payload, or one of the refusals that its result union names.',
});
builder.subscriptionType({ description: 'Following: over WebSocket (graphql-ws) or SSE, on the same path.' });

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'How many there are in the whole list. Counted only when asked for.',
    resolve: ({ totalCount }) => totalCount(),
  }),
);
