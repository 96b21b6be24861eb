import { ForbiddenError, InvalidInputError, NotFoundError, QuotaExceededError } from '../../domain/error.ts';
import { deletePlugin, refreshPlugin, registerPlugin, updatePlugin } from '../../domain/tool/plugin.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { requireField } from '../field-access.ts';
import { listOf } from '../list-of.ts';
import { byAgeOrName } from '../list-order.ts';
import { deletedFromWorkspace, nodePayload, resultErrors } from '../result-union.ts';
import { Plugin } from './plugin.ts';

const plugins = listOf(Plugin, {
  model: 'plugin',
  noun: 'plugin',
  order: byAgeOrName('plugins', 'Plugin'),
  where: (_filter, ctx) => {
    requireField(ctx, 'Query', 'plugins');
    return {};
  },
});

builder.queryField('plugin', (t) =>
  t.prismaField({
    type: Plugin,
    nullable: true,
    description: 'Returns a plugin. Null if no plugin of the workspace has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the plugin.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireField(ctx, 'Query', 'plugin');
      return isId('Plugin', id) ? ctx.db.plugin.findFirst({ ...query, where: { id } }) : null;
    },
  }),
);
builder.queryField('plugins', plugins.root('Lists the plugins of the workspace, newest first.'));

const SecretPlace = builder.enumType('SecretPlace', {
  description: 'Where a request carries a secret.',
  values: {
    HEADER: { description: 'In a request header.' },
    QUERY: { description: 'In a query parameter of the URL.' },
  } as const,
});

const BearerAuthInput = builder.inputType('BearerAuthInput', {
  description: 'Authentication with the header `Authorization: Bearer <token>`.',
  fields: (t) => ({
    token: t.string({
      required: true,
      description: 'The token: 1 to 4,096 printable ASCII characters. Stored encrypted and never returned.',
    }),
  }),
});

const ApiKeyAuthInput = builder.inputType('ApiKeyAuthInput', {
  description: 'Authentication with a key in a header or a query parameter.',
  fields: (t) => ({
    in: t.field({ type: SecretPlace, required: true, description: 'Where the request carries the key.' }),
    name: t.string({ required: true, description: 'Name of the header or the query parameter: 1 to 100 characters.' }),
    value: t.string({
      required: true,
      description: 'The key: 1 to 4,096 printable ASCII characters. Stored encrypted and never returned.',
    }),
  }),
});

const BasicAuthInput = builder.inputType('BasicAuthInput', {
  description: 'Authentication with the header `Authorization: Basic …`.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The user name: 1 to 4,096 printable ASCII characters.' }),
    password: t.string({
      required: true,
      description: 'The password: 1 to 4,096 printable ASCII characters. Stored encrypted and never returned.',
    }),
  }),
});

const UserTokenAuthInput = builder.inputType('UserTokenAuthInput', {
  description:
    'Authentication with a token of the end user, which createRun and regenerate take in `pluginTokens`. In a run without one, calls of the plugin fail with `user_token_missing`.',
  fields: (t) => ({
    in: t.field({
      type: SecretPlace,
      defaultValue: 'HEADER',
      description: 'Where the request carries the token. Default HEADER.',
    }),
    name: t.string({
      defaultValue: 'authorization',
      description: 'Name of the header or the query parameter: 1 to 100 characters. Default `authorization`.',
    }),
    prefix: t.string({
      description:
        'Text before the token, at most 50 characters. Omit for `Bearer ` (with a space) if the name is `authorization`, else for none.',
    }),
  }),
});

const PluginAuthInput = builder.inputType('PluginAuthInput', {
  description: 'How calls of a plugin authenticate: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    bearer: t.field({ type: BearerAuthInput, description: 'A bearer token in the header `Authorization`.' }),
    apiKey: t.field({ type: ApiKeyAuthInput, description: 'An API key in a header or a query parameter.' }),
    basic: t.field({ type: BasicAuthInput, description: 'A user name and a password (HTTP Basic).' }),
    userToken: t.field({ type: UserTokenAuthInput, description: 'A token of the end user, which each run brings.' }),
  }),
});

const OpenApiInput = builder.inputType('OpenApiInput', {
  description:
    'An OpenAPI 3.0 or 3.1 document, as JSON or YAML, of at most 5,000,000 bytes: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    document: t.string({ description: 'The text of the document. refreshPlugin reads this text again.' }),
    url: t.string({
      description:
        'Address of the document: http or https, at most 2,000 characters, no user name or password. refreshPlugin reads it again.',
    }),
    file: t.field({ type: 'Upload', description: 'The document as an uploaded file (GraphQL multipart request).' }),
  }),
});

const McpInput = builder.inputType('McpInput', {
  description: 'An MCP server (Model Context Protocol) that is reachable over streamable HTTP.',
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        'Address of the server, such as `https://mcp.example.com/mcp`: at most 2,000 characters, no user name or password.',
    }),
  }),
});

const PluginSourceInput = builder.inputType('PluginSourceInput', {
  description: 'Where the operations of a plugin come from: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    openapi: t.field({ type: OpenApiInput, description: 'The OpenAPI document that describes the plugin.' }),
    mcp: t.field({ type: McpInput, description: 'The MCP server to call.' }),
  }),
});

const described = {
  name: 'Name of the plugin: 1 to 64 characters.',
  description: 'What the plugin is for: at most 512 characters.',
  serverUrl: 'Address to call the operations of an OpenAPI document at, instead of the one in the document.',
  operations: 'Names of the operations to offer, at most 128.',
  auth: 'How calls authenticate.',
};

const RegisterPluginInput = builder.inputType('RegisterPluginInput', {
  description: 'The plugin to register.',
  fields: (t) => ({
    name: t.string({ required: true, description: described.name }),
    description: t.string({ description: described.description }),
    source: t.field({ type: PluginSourceInput, required: true, description: 'Where its operations come from.' }),
    serverUrl: t.string({ description: `${described.serverUrl} Required if the document names none.` }),
    operations: t.stringList({ description: `${described.operations} Required if it offers more. Omit for all.` }),
    auth: t.field({ type: PluginAuthInput, description: `${described.auth} Omit if they need no credential.` }),
  }),
});

const UpdatePluginInput = builder.inputType('UpdatePluginInput', {
  description:
    'The fields of a plugin to update. An omitted field is kept; null clears `description`, `serverUrl` and `auth`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The plugin to update.' }),
    name: t.string({ description: described.name }),
    description: t.string({ description: described.description }),
    serverUrl: t.string({ description: described.serverUrl }),
    operations: t.stringList({ description: `${described.operations} An empty list selects all.` }),
    auth: t.field({ type: PluginAuthInput, description: `${described.auth} Null: without a credential.` }),
  }),
});

const RefreshPluginInput = builder.inputType('RefreshPluginInput', {
  description: 'The plugin to refresh.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The plugin to refresh.' }) }),
});

const DeletePluginInput = builder.inputType('DeletePluginInput', {
  description: 'The plugin to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The plugin to delete.' }) }),
});

builder.mutationFields((t) => ({
  registerPlugin: t.field({
    type: nodePayload('RegisterPluginPayload', 'plugin', Plugin, 'The registered plugin.'),
    description:
      'Registers an external API as a plugin. The server reads the OpenAPI document, or lists the tools of the MCP server, and stores the operations; give them to assistants and runs as `plugin` tools. Refused with InvalidInputError if the source cannot be read, lacks a selected operation, or offers more than 128 operations and none are selected; with QuotaExceededError in a workspace with 1,000 plugins; with ForbiddenError for end users. Only public addresses can be reached, and those that PLUGIN_HOSTS allows.',
    errors: resultErrors('RegisterPlugin', [InvalidInputError, QuotaExceededError, ForbiddenError]),
    args: { input: t.arg({ type: RegisterPluginInput, required: true, description: 'The plugin to register.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await registerPlugin(ctx, input, ctx.signal) }),
  }),
  updatePlugin: t.field({
    type: nodePayload('UpdatePluginPayload', 'plugin', Plugin, 'The updated plugin.'),
    description:
      'Updates a plugin. With `operations` or `serverUrl` the document or the server is read again; if that fails, the mutation is refused with InvalidInputError and nothing changes. Runs that are executing keep the plugin as it was when they started or resumed. The source cannot be changed: register another plugin. End users are refused with ForbiddenError.',
    errors: resultErrors('UpdatePlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdatePluginInput, required: true, description: 'The fields to update.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await updatePlugin(ctx, input, ctx.signal) }),
  }),
  refreshPlugin: t.field({
    type: nodePayload('RefreshPluginPayload', 'plugin', Plugin, 'The plugin with its current operations.'),
    description:
      'Reads the document or the server again and replaces the operations of the plugin. If that fails, the mutation is refused with InvalidInputError and nothing changes. Runs that are executing keep the operations they have. End users are refused with ForbiddenError.',
    errors: resultErrors('RefreshPlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: RefreshPluginInput, required: true, description: 'The plugin to refresh.' }) },
    resolve: async (_root, { input }, ctx) => ({ plugin: await refreshPlugin(ctx, input, ctx.signal) }),
  }),
  deletePlugin: t.field({
    type: deletedFromWorkspace('DeletePluginPayload'),
    description:
      'Deletes a plugin and its stored secrets. Assistants and runs that list it work without it; runs that are executing keep it until they end or wait for tool outputs. End users are refused with ForbiddenError.',
    errors: resultErrors('DeletePlugin', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeletePluginInput, required: true, description: 'The plugin to delete.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deletePlugin(ctx, input) }),
  }),
}));
