import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import SimpleObjectsPlugin from '@pothos/plugin-simple-objects';
import type PrismaTypes from '../db/generated/pothos-types.ts';
import { getDatamodel } from '../db/generated/pothos-types.ts';
import { InvalidInputError } from '../domain/error.ts';
import type { Upload } from '../files/upload.ts';
import { idKind } from '../id.ts';
import { columnsPlugin } from './columns-plugin.ts';
import type { GraphContext } from './context.ts';
import { operationLimits } from './limits.ts';
import { meterPlugin } from './meter-plugin.ts';
import { permissionsPlugin } from './permissions-plugin.ts';

/** The TypeScript types of the graph's scalars. */
export type Scalars = {
  ID: { Input: string; Output: string };
  DateTime: { Input: Date; Output: Date };
  JSON: { Input: unknown; Output: unknown };
  Metadata: { Input: Record<string, string>; Output: unknown };
  Decimal: { Input: string; Output: { toString(): string } };
  Upload: { Input: Upload; Output: never };
};

/** The type of the node with an id. An id that is not a node's maps to File, which has no such row: the node is null. */
function nodeTypeOf(id: string): string {
  const kind = idKind(id);
  return kind === null || kind === 'ToolCall' ? 'File' : kind;
}

/** The schema under construction. Importing the file of a type adds the type. */
export const builder = new SchemaBuilder<{
  Context: GraphContext;
  PrismaTypes: PrismaTypes;
  Scalars: Scalars;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Connection: { totalCount: () => Promise<number> };
}>({
  // The permissions plugin runs inside the errors plugin, so its ForbiddenError becomes a member of the result unions.
  plugins: [
    ErrorsPlugin,
    RelayPlugin,
    PrismaPlugin,
    SimpleObjectsPlugin,
    columnsPlugin,
    meterPlugin,
    permissionsPlugin,
  ],
  defaultFieldNullability: false,
  errors: { defaultTypes: [], directResult: true },
  prisma: { client: (ctx) => ctx.db as never, dmmf: getDatamodel() },
  relay: {
    // Ids are globally unique, so they are not encoded: the prefix identifies the type.
    idFieldOptions: {
      description:
        'The globally unique id, a TypeID: the prefix identifies the type of the node, the rest is a UUIDv7.',
    },
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: nodeTypeOf(id), id }),
    cursorType: 'String',
    nodesOnConnection: { description: 'The nodes of this page, in order, without their cursors.' },
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      description: 'The nodes of this page, in order, each with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'The node at this position of the list.' },
    cursorFieldOptions: { description: 'The position of the node in the list: pass it as `after` or `before`.' },
    pageInfoFieldOptions: { description: 'The position of this page in the list.' },
    pageInfoTypeOptions: { description: 'The position of a page in its list.' },
    hasNextPageFieldOptions: {
      description: 'Whether the list has nodes after this page: if so, pass `endCursor` as `after`.',
    },
    hasPreviousPageFieldOptions: {
      description: 'Whether the list has nodes before this page: if so, pass `startCursor` as `before`.',
    },
    startCursorFieldOptions: { description: 'The cursor of the first node of this page. Null for an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last node of this page. Null for an empty page.' },
    firstArgOptions: {
      description:
        'The number of nodes from the start of the list, or after `after`: 0 to 100. Default: 20. Not together with `last`.',
    },
    lastArgOptions: {
      description:
        'The number of nodes from the end of the list, or before `before`: 0 to 100. Not together with `first`.',
    },
    afterArgOptions: {
      description: 'Only nodes after this cursor. The cursor must come from the same list in the same order.',
    },
    beforeArgOptions: {
      description: 'Only nodes before this cursor. The cursor must come from the same list in the same order.',
    },
    nodeTypeOptions: { description: 'An object with a globally unique id.' },
    nodeQueryOptions: {
      description: 'Returns a node. Null if no visible node has this id.',
      args: { id: { description: 'The id of a node of any type.' } },
    },
    nodesQueryOptions: {
      description:
        'Returns nodes of any types, in the order of the ids. Null in place of a node that does not exist or that you may not see.',
      nullable: { list: false, items: true },
      args: { ids: { description: 'At most 100 ids of nodes of any type.' } },
      resolve: (_root, { ids }, _ctx, _info, resolveNodes) => {
        if (ids.length > operationLimits.pageSize)
          throw InvalidInputError.at('ids', `At most ${operationLimits.pageSize} ids.`);
        return resolveNodes(ids) as Promise<unknown[]>;
      },
    },
  },
});

/** Defines the fields of an input type; for fields that several inputs share. */
export type InputFieldBuilder = PothosSchemaTypes.InputFieldBuilder<
  (typeof builder)['$inferSchemaTypes'],
  'InputObject'
>;

builder.queryType({ description: 'Reads data. A query changes nothing.' });
builder.mutationType({
  description:
    'Changes data. Each mutation takes one `input` and returns a result union: its payload, or one of the errors in the union.',
});
builder.subscriptionType({
  description: 'Streams events, over WebSocket (graphql-ws) or Server-Sent Events, on the path of the graph.',
});

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description:
      'The number of nodes in the whole list, regardless of pages. Select it only if you need it: it costs a database query.',
    resolve: ({ totalCount }) => totalCount(),
  }),
);
