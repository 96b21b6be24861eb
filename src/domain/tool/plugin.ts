import { z } from 'zod';
import type { Plugin, Prisma } from '../../db/generated/client.ts';
import { Upload } from '../../files/upload.ts';
import { isId, newId } from '../../id.ts';
import { InvalidPluginError, type PluginAuth, type PluginSource, type ReadPlugin } from '../../tools/plugin-source.ts';
import { requireKey, requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError } from '../error.ts';
import { absentOr, clearable, listUpTo, nameUpTo, parse, textUpTo } from '../input.ts';
import { pluginLimits } from '../limits.ts';
import { requireRoom } from '../quota.ts';

const purpose = 'plugin auth';

const address = z
  .url({ protocol: /^https?$/, error: 'Must be an http(s) URL' })
  .max(pluginLimits.url, `At most ${pluginLimits.url} characters`)
  .refine((url) => {
    // A text that is no URL has its issue already.
    const { username, password } = URL.parse(url) ?? { username: '', password: '' };
    return username === '' && password === '';
  }, 'The URL must not contain a user name or a password: use auth');
const secret = textUpTo(pluginLimits.secret)
  .min(1, 'Must not be empty')
  .regex(/^[\x20-\x7e]*$/, 'Only printable ASCII characters');
const place = z
  .enum(['HEADER', 'QUERY'])
  .transform((where) => (where === 'QUERY' ? ('query' as const) : ('header' as const)));
const parameterName = textUpTo(pluginLimits.parameterName).regex(
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/,
  "Only letters, digits and the characters ! # $ % & ' * + - . ^ _ ` | ~",
);
const auth = z
  .object({
    bearer: absentOr(z.object({ token: secret })),
    apiKey: absentOr(z.object({ in: place, name: parameterName, value: secret })),
    basic: absentOr(z.object({ username: secret, password: secret })),
    userToken: absentOr(
      z.object({
        in: absentOr(place),
        name: absentOr(parameterName),
        prefix: absentOr(textUpTo(pluginLimits.tokenPrefix)),
      }),
    ),
  })
  .transform(({ bearer, apiKey, basic, userToken }): PluginAuth => {
    if (bearer) return { type: 'bearer', ...bearer };
    if (apiKey) return { type: 'api_key', ...apiKey };
    if (basic) return { type: 'basic', ...basic };
    const {
      in: where = 'header',
      name = 'authorization',
      prefix = name === 'authorization' ? 'Bearer ' : '',
    } = userToken ?? {};
    return { type: 'user_token', in: where, name, prefix };
  });
const openapi = z
  .object({
    document: absentOr(textUpTo(pluginLimits.document)),
    url: absentOr(address),
    file: absentOr(
      z.instanceof(Upload, {
        error: 'Must be an uploaded file, sent as in the GraphQL multipart request specification',
      }),
    ),
  })
  .refine(
    ({ document, url, file }) => [document, url, file].filter((one) => one !== undefined).length === 1,
    'Exactly one of document, url and file is required',
  );
const source = z
  .object({ openapi: absentOr(openapi), mcp: absentOr(z.object({ url: address })) })
  .refine(
    (input) => (input.openapi === undefined) !== (input.mcp === undefined),
    'Exactly one of openapi and mcp is required',
  );
const operationName = textUpTo(pluginLimits.operationName).min(1, 'Must not be empty');
const operations = listUpTo(operationName, pluginLimits.operations, 'operations');
const fields = {
  description: clearable(textUpTo(pluginLimits.description)),
  serverUrl: clearable(address),
  operations: absentOr(operations),
  auth: clearable(auth),
};
const registerInput = z.object({
  ...fields,
  name: nameUpTo(pluginLimits.name),
  source,
});
const updateInput = z.object({ ...fields, id: z.string(), name: absentOr(nameUpTo(pluginLimits.name)) });

/** The columns of a plugin that determine where its operations come from. */
type Origin = Pick<Plugin, 'kind' | 'url' | 'document' | 'serverUrl'>;

/** What calls of plugins need, by ID; plugins that do not exist are left out. */
export async function readPluginSources(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Map<string, PluginSource>> {
  if (ids.length === 0) return new Map();
  const plugins = await ctx.db.plugin.findMany({ where: { id: { in: [...ids] } } });
  return new Map(
    plugins.map((plugin) => {
      const { id, name, kind, url } = plugin;
      const auth = openAuth(ctx, plugin);
      return [id, { id, name, kind, url, auth, operations: plugin.operations as unknown[] }];
    }),
  );
}

const openAuth = ({ vault }: DomainContext, { sealedAuth }: Pick<Plugin, 'sealedAuth'>): PluginAuth | null =>
  sealedAuth === null ? null : (JSON.parse(vault.open(purpose, sealedAuth)) as PluginAuth);

const sealAuth = ({ vault }: DomainContext, auth: PluginAuth | null | undefined): string | null =>
  auth ? vault.seal(purpose, JSON.stringify(auth)) : null;

/** The kind of authentication of a plugin, without the secret; null: none. */
export const authKindOf = (ctx: DomainContext, plugin: Pick<Plugin, 'sealedAuth'>): PluginAuth['type'] | null =>
  openAuth(ctx, plugin)?.type ?? null;

/**
 * Reads the operations of a plugin, limited to the selected ones. Throws InvalidInputError when the plugin cannot be
 * read, lacks a selected operation, or has more operations than a plugin can offer to a model.
 */
async function readOperations(
  ctx: DomainContext,
  { kind, url, document, serverUrl }: Origin,
  selected: readonly string[],
  auth: PluginAuth | null,
  signal: AbortSignal,
): Promise<ReadPlugin> {
  const path = kind === 'MCP' ? 'source.mcp.url' : 'source.openapi';
  const wanted = { selected, most: pluginLimits.operations };
  const read =
    kind === 'MCP'
      ? ctx.plugins.readMcp({ ...wanted, url: url ?? '', auth }, signal)
      : ctx.plugins.readOpenApi(
          {
            ...wanted,
            workspaceId: ctx.workspaceId,
            document: url === null ? document : null,
            url,
            serverUrl,
          },
          signal,
        );
  const offered = await read.catch((error) => {
    if (error instanceof InvalidPluginError) throw InvalidInputError.at(path, error.message);
    throw error;
  });
  const unknown = selected.filter((name) => !offered.names.includes(name));
  const available = offered.names.slice(0, 100).join(', ');
  if (unknown.length > 0) {
    throw InvalidInputError.at('operations', `Unknown: ${unknown.join(', ')}. Available: ${available}.`);
  }
  if (offered.operations.length === 0) {
    const count = offered.names.length;
    const most = pluginLimits.operations;
    throw InvalidInputError.at('operations', `Select at most ${most} of ${count} operations. Available: ${available}.`);
  }
  return offered;
}

async function textOf(upload: Upload): Promise<string> {
  const text = await upload.text(pluginLimits.document);
  if (text === null) throw InvalidInputError.at('source.openapi.file', `At most ${pluginLimits.document} bytes.`);
  return text;
}

/**
 * Registers a plugin: reads its operations from an OpenAPI document or an MCP server and stores them. Throws
 * InvalidInputError when they cannot be read. `signal`: aborts when the client disconnects.
 */
export async function registerPlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const {
    name,
    description,
    serverUrl,
    operations: selected = [],
    auth = null,
    source: { openapi: api, mcp },
  } = parse(registerInput, input);
  requireRoom(await ctx.db.plugin.count(), pluginLimits.perWorkspace, 'plugins in a workspace');
  const document = api?.file ? await textOf(api.file) : (api?.document ?? null);
  const url = mcp?.url ?? api?.url ?? null;
  const origin: Origin = { kind: mcp ? 'MCP' : 'OPENAPI', url, document, serverUrl: serverUrl ?? null };
  const offered = await readOperations(ctx, origin, selected, auth, signal);
  return ctx.db.plugin.create({
    data: {
      ...origin,
      workspaceId: ctx.workspaceId,
      id: newId('Plugin'),
      name,
      description,
      selected,
      document: offered.document,
      operations: offered.operations as unknown as Prisma.InputJsonValue,
      sealedAuth: sealAuth(ctx, auth),
    },
  });
}

/** A plugin of the workspace. Throws NotFoundError. */
async function findPlugin(ctx: DomainContext, id: string): Promise<Plugin> {
  const plugin = isId('Plugin', id) ? await ctx.db.plugin.findFirst({ where: { id } }) : null;
  if (!plugin) throw new NotFoundError(id);
  return plugin;
}

/** Updates a plugin: absent keeps, null clears. A change of `operations` or `serverUrl` reads its operations again. */
export async function updatePlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id, auth: newAuth, operations: selected, serverUrl, ...data } = parse(updateInput, input);
  const plugin = await findPlugin(ctx, id);
  const origin = { ...plugin, ...(serverUrl === undefined ? {} : { serverUrl }) };
  const isStale = selected !== undefined || serverUrl !== undefined;
  const auth = newAuth === undefined ? openAuth(ctx, plugin) : newAuth;
  const offered = isStale ? await readOperations(ctx, origin, selected ?? plugin.selected, auth, signal) : null;
  return updateRow(ctx, id, {
    ...data,
    ...(newAuth === undefined ? {} : { sealedAuth: sealAuth(ctx, newAuth) }),
    ...(offered
      ? { ...offeredColumns(offered), selected: selected ?? plugin.selected, serverUrl: origin.serverUrl }
      : {}),
  });
}

/** Reads the operations of a plugin again. When that fails, the stored ones stay. */
export async function refreshPlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id } = parse(z.object({ id: z.string() }), input);
  const plugin = await findPlugin(ctx, id);
  const offered = await readOperations(ctx, plugin, plugin.selected, openAuth(ctx, plugin), signal);
  return updateRow(ctx, id, offeredColumns(offered));
}

const offeredColumns = ({ document, operations }: ReadPlugin) => ({
  document,
  operations: operations as unknown as Prisma.InputJsonValue,
  refreshedAt: new Date(),
});

async function updateRow(ctx: DomainContext, id: string, data: Prisma.PluginUncheckedUpdateManyInput): Promise<Plugin> {
  const [plugin] = await ctx.db.plugin.updateManyAndReturn({ where: { id }, data });
  if (!plugin) throw new NotFoundError(id);
  return plugin;
}

/** Deletes a plugin. Assistants and runs that use it continue without it. */
export async function deletePlugin(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id } = parse(z.object({ id: z.string() }), input);
  const { count } = isId('Plugin', id) ? await ctx.db.plugin.deleteMany({ where: { id } }) : { count: 0 };
  if (count === 0) throw new NotFoundError(id);
  return id;
}
