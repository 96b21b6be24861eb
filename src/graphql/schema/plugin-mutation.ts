import { requireScope } from '../../domain/access/access.ts';
import { ForbiddenError, InvalidInputError, NotFoundError, QuotaExceededError } from '../../domain/error.ts';
import { deletePlugin, refreshPlugin, registerPlugin, updatePlugin } from '../../domain/tool/plugin.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { newestFirst, rootList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { Plugin } from './plugin.ts';

const PluginEdge = builder.edgeObject({ type: Plugin, name: 'PluginEdge', description: 'One plug-in in a list.' });
const PluginConnection = builder.connectionObject(
  { type: Plugin, name: 'PluginConnection', description: 'A page of plug-ins.' },
  PluginEdge,
);

builder.queryFields((t) => ({
  plugin: t.prismaField({
    type: Plugin,
    nullable: true,
    description: 'A plug-in; null when there is none with this id.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'ASSISTANTS_READ');
      return isId('Plugin', id) ? ctx.db.plugin.findFirst({ ...query, where: { id } }) : null;
    },
  }),
  plugins: t.connection(
    {
      type: Plugin,
      description: 'The plug-ins of the workspace, the newest first.',
      resolve: async (_root, args, ctx, info) => {
        requireScope(ctx, 'ASSISTANTS_READ');
        const list = {
          model: 'plugin',
          typeName: 'Plugin',
          order: newestFirst('plugins'),
          where: {},
        } as const;
        return rootList(ctx.db, ctx, info, list as never, args) as never;
      },
    },
    PluginConnection,
    PluginEdge,
  ),
}));

const SecretPlace = builder.enumType('SecretPlace', {
  description: 'Where a request carries a secret.',
  values: {
    HEADER: { description: 'In a header.' },
    QUERY: { description: 'In the query of the address.' },
  } as const,
});

const BearerAuthInput = builder.inputType('BearerAuthInput', {
  description: 'The header "Authorization: Bearer <token>".',
  fields: (t) => ({ token: t.string({ required: true, description: 'The token: kept sealed, never shown again.' }) }),
});

const ApiKeyAuthInput = builder.inputType('ApiKeyAuthInput', {
  description: 'A key in a header or in the query.',
  fields: (t) => ({
    in: t.field({ type: SecretPlace, required: true, description: 'Where it goes.' }),
    name: t.string({ required: true, description: 'The name of the header or the parameter.' }),
    value: t.string({ required: true, description: 'The key: kept sealed, never shown again.' }),
  }),
});

const BasicAuthInput = builder.inputType('BasicAuthInput', {
  description: 'The header "Authorization: Basic …".',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The name.' }),
    password: t.string({ required: true, description: 'The password: kept sealed, never shown again.' }),
  }),
});

const UserTokenAuthInput = builder.inputType('UserTokenAuthInput', {
  description: 'A token of the user that a run is made for: createRun brings it in `pluginTokens`.',
  fields: (t) => ({
    in: t.field({ type: SecretPlace, defaultValue: 'HEADER', description: 'Where it goes.' }),
    name: t.string({ defaultValue: 'authorization', description: 'The name of the header or the parameter.' }),
    prefix: t.string({
      description: 'What stands before it; absent: "Bearer " in the header authorization, else nothing.',
    }),
  }),
});

const PluginAuthInput = builder.inputType('PluginAuthInput', {
  description: 'How calls show who they are: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    bearer: t.field({ type: BearerAuthInput, description: 'A bearer token.' }),
    apiKey: t.field({ type: ApiKeyAuthInput, description: 'An API key.' }),
    basic: t.field({ type: BasicAuthInput, description: 'A name and a password.' }),
    userToken: t.field({ type: UserTokenAuthInput, description: 'A token that each run brings.' }),
  }),
});

const OpenApiInput = builder.inputType('OpenApiInput', {
  description: 'An OpenAPI 3.0 or 3.1 document, JSON or YAML: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    document: t.string({ description: 'The document itself.' }),
    url: t.string({ description: 'Where it is: refreshPlugin reads it again.' }),
    file: t.field({ type: 'Upload', description: 'The document as a file.' }),
  }),
});

const McpInput = builder.inputType('McpInput', {
  description: 'A server of the Model Context Protocol over streamable HTTP.',
  fields: (t) => ({
    url: t.string({ required: true, description: 'Its address, such as https://mcp.example.com/mcp.' }),
  }),
});

const described = {
  name: 'Its name: up to 64 characters.',
  description: 'What it is for: up to 512 characters.',
  serverUrl: 'Where operations of an OpenAPI document are called, if not where it says.',
  operations: 'Only these operations, by their names: up to 128. Absent: all, if they are no more than that.',
  auth: 'How calls show who they are; absent: they do not.',
};

const RegisterPluginInput = builder.inputType('RegisterPluginInput', {
  description: 'A plug-in to register: `openapi` or `mcp`, one of the two.',
  fields: (t) => ({
    name: t.string({ required: true, description: described.name }),
    description: t.string({ description: described.description }),
    openapi: t.field({ type: OpenApiInput, description: 'Its OpenAPI document.' }),
    mcp: t.field({ type: McpInput, description: 'Its MCP server.' }),
    serverUrl: t.string({ description: described.serverUrl }),
    operations: t.stringList({ description: described.operations }),
    auth: t.field({ type: PluginAuthInput, description: described.auth }),
  }),
});

const UpdatePluginInput = builder.inputType('UpdatePluginInput', {
  description: 'A change of a plug-in: absent keeps, null clears.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The plug-in.' }),
    name: t.string({ description: described.name }),
    description: t.string({ description: described.description }),
    serverUrl: t.string({ description: described.serverUrl }),
    operations: t.stringList({ description: 'Only these operations; an empty list: all.' }),
    auth: t.field({ type: PluginAuthInput, description: described.auth }),
  }),
});

const RefreshPluginInput = builder.inputType('RefreshPluginInput', {
  description: 'A plug-in to read again.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The plug-in.' }) }),
});

const DeletePluginInput = builder.inputType('DeletePluginInput', {
  description: 'A plug-in to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The plug-in.' }) }),
});

const pluginPayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({ plugin: t.field({ type: Plugin, nullable: false, description: 'The plug-in as it is now.' }) }),
  });
const RegisterPluginPayload = pluginPayload('RegisterPluginPayload', 'The new plug-in.');
const UpdatePluginPayload = pluginPayload('UpdatePluginPayload', 'The changed plug-in.');
const RefreshPluginPayload = pluginPayload('RefreshPluginPayload', 'The plug-in with what it offers now.');

builder.mutationFields((t) => ({
  registerPlugin: t.field({
    type: RegisterPluginPayload,
    description: 'Registers a business interface: its operations become tools that assistants can be given.',
    errors: resultErrors('RegisterPlugin', [InvalidInputError, QuotaExceededError, ForbiddenError]),
    args: { input: t.arg({ type: RegisterPluginInput, required: true, description: 'The plug-in.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await registerPlugin(ctx, input, ctx.signal) }),
  }),
  updatePlugin: t.field({
    type: UpdatePluginPayload,
    description: 'Changes a plug-in; calls that are made from now on follow it.',
    errors: resultErrors('UpdatePlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdatePluginInput, required: true, description: 'The change.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await updatePlugin(ctx, input, ctx.signal) }),
  }),
  refreshPlugin: t.field({
    type: RefreshPluginPayload,
    description:
      'Reads again what a plug-in offers, from its address or its server; where that fails it stays as it is.',
    errors: resultErrors('RefreshPlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: RefreshPluginInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await refreshPlugin(ctx, input, ctx.signal) }),
  }),
  deletePlugin: t.field({
    type: deletedPayload('DeletePluginPayload'),
    description: 'Deletes a plug-in; assistants that have it go on without it.',
    errors: resultErrors('DeletePlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeletePluginInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deletePlugin(ctx, input) }),
  }),
}));
