import { z } from 'zod';
import type { Plugin, Prisma } from '../../db/generated/client.ts';
import { Upload } from '../../files/upload.ts';
import { isId, newId } from '../../id.ts';
import { InvalidPluginError, type PluginAuth, type PluginSource, type ReadPlugin } from '../../tools/plugin-source.ts';
import { requireKey, requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError, QuotaExceededError } from '../error.ts';
import { absentOr, clearable, nameUpTo, parse, textUpTo } from '../input.ts';

const purpose = 'plugin auth';
/** How many operations of a plug-in a model is told of. */
const maxOperations = 128;
const maxPlugins = 1000;

const address = z
  .url({ protocol: /^https?$/, error: 'Give an http(s) address' })
  .max(2000)
  .refine((url) => {
    const { username, password } = new URL(url);
    return username === '' && password === '';
  }, 'Put no user and password into the address: use auth');
const secret = z
  .string()
  .min(1, 'This must not be empty')
  .max(4096)
  .regex(/^[\x20-\x7e]*$/, 'Printable ASCII only');
const place = z
  .enum(['HEADER', 'QUERY'])
  .transform((where) => (where === 'QUERY' ? ('query' as const) : ('header' as const)));
const token = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'A name of letters, digits and - _ .');
const auth = z
  .object({
    bearer: absentOr(z.object({ token: secret })),
    apiKey: absentOr(z.object({ in: place, name: token, value: secret })),
    basic: absentOr(z.object({ username: secret, password: secret })),
    userToken: absentOr(z.object({ in: absentOr(place), name: absentOr(token), prefix: absentOr(z.string().max(50)) })),
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
    document: absentOr(textUpTo(5_000_000)),
    url: absentOr(address),
    file: absentOr(z.instanceof(Upload, { error: 'Send a file, as the GraphQL multipart request convention says' })),
  })
  .refine(
    ({ document, url, file }) => [document, url, file].filter((one) => one !== undefined).length === 1,
    'Give one of document, url and file',
  );
const operations = z.array(z.string().min(1).max(64)).max(maxOperations, `At most ${maxOperations} operations, please`);
const fields = {
  description: clearable(textUpTo(512)),
  serverUrl: clearable(address),
  operations: absentOr(operations),
  auth: clearable(auth),
};
const registerInput = z
  .object({ ...fields, name: nameUpTo(64), openapi: absentOr(openapi), mcp: absentOr(z.object({ url: address })) })
  .refine(
    (input) => (input.openapi === undefined) !== (input.mcp === undefined),
    'Give openapi or mcp, one of the two',
  );
const updateInput = z.object({ ...fields, id: z.string(), name: absentOr(nameUpTo(64)) });

/** What of a plug-in says where its operations come from. */
type Origin = Pick<Plugin, 'kind' | 'url' | 'document' | 'serverUrl'>;

/** What calls of plug-ins are made with, by their ids; those that are gone are left out. */
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

const seal = ({ vault }: DomainContext, given: PluginAuth | null | undefined): string | null =>
  given ? vault.seal(purpose, JSON.stringify(given)) : null;

/** How the calls of a plug-in show who they are, without the secret; null: they do not. */
export const authKindOf = (ctx: DomainContext, plugin: Pick<Plugin, 'sealedAuth'>): PluginAuth['type'] | null =>
  openAuth(ctx, plugin)?.type ?? null;

/**
 * Reads what a plug-in offers, narrowed to the operations that are selected. Throws InvalidInputError when it cannot be read,
 * lacks one of those, or offers more than a model is told of.
 */
async function readOperations(
  ctx: DomainContext,
  { kind, url, document, serverUrl }: Origin,
  selected: readonly string[],
  auth: PluginAuth | null,
  signal: AbortSignal,
): Promise<ReadPlugin> {
  const path = kind === 'MCP' ? 'mcp.url' : 'openapi';
  const wanted = { selected, most: maxOperations };
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
  const there = offered.names.slice(0, 100).join(', ');
  if (unknown.length > 0) {
    throw InvalidInputError.at('operations', `There is no ${unknown.join(', ')}. There are: ${there}.`);
  }
  if (offered.operations.length === 0) {
    const count = offered.names.length;
    throw InvalidInputError.at('operations', `It offers ${count}: name up to ${maxOperations}. There are: ${there}.`);
  }
  return offered;
}

const maxDocumentBytes = 5_000_000;

async function textOf(upload: Upload): Promise<string> {
  const text = await upload.text(maxDocumentBytes);
  if (text === null)
    throw InvalidInputError.at('openapi.file', `The document is larger than ${maxDocumentBytes} bytes.`);
  return text;
}

/**
 * Registers a plug-in: reads its document, or asks its server, and keeps what it offers. Throws InvalidInputError when that
 * cannot be done, and says what to change. `signal`: aborts when the client goes.
 */
export async function registerPlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const {
    name,
    description,
    serverUrl,
    operations: selected = [],
    auth: given,
    openapi: api,
    mcp,
  } = parse(registerInput, input);
  if ((await ctx.db.plugin.count()) >= maxPlugins)
    throw new QuotaExceededError(`A workspace has at most ${maxPlugins} plug-ins.`, null);
  const document = api?.file ? await textOf(api.file) : (api?.document ?? null);
  const url = mcp?.url ?? api?.url ?? null;
  const origin: Origin = { kind: mcp ? 'MCP' : 'OPENAPI', url, document, serverUrl: serverUrl ?? null };
  const offered = await readOperations(ctx, origin, selected, given ?? null, signal);
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
      sealedAuth: seal(ctx, given),
    },
  });
}

/** A plug-in of the workspace. Throws NotFoundError. */
async function findPlugin(ctx: DomainContext, id: string): Promise<Plugin> {
  const plugin = isId('Plugin', id) ? await ctx.db.plugin.findFirst({ where: { id } }) : null;
  if (!plugin) throw new NotFoundError(id);
  return plugin;
}

/** Changes a plug-in: absent keeps, null clears. Where that changes what it offers, its document or server is read again. */
export async function updatePlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id, auth: given, operations: selected, serverUrl, ...data } = parse(updateInput, input);
  const plugin = await findPlugin(ctx, id);
  const origin = { ...plugin, ...(serverUrl === undefined ? {} : { serverUrl }) };
  const isOtherwise = selected !== undefined || serverUrl !== undefined;
  const auth = given === undefined ? openAuth(ctx, plugin) : given;
  const offered = isOtherwise ? await readOperations(ctx, origin, selected ?? plugin.selected, auth, signal) : null;
  return store(ctx, id, {
    ...data,
    ...(given === undefined ? {} : { sealedAuth: seal(ctx, given) }),
    ...(offered
      ? { ...offeredColumns(offered), selected: selected ?? plugin.selected, serverUrl: origin.serverUrl }
      : {}),
  });
}

/** Reads again what a plug-in offers. What is there stays when that fails. */
export async function refreshPlugin(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Plugin> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id } = parse(z.object({ id: z.string() }), input);
  const plugin = await findPlugin(ctx, id);
  const offered = await readOperations(ctx, plugin, plugin.selected, openAuth(ctx, plugin), signal);
  return store(ctx, id, offeredColumns(offered));
}

const offeredColumns = ({ document, operations }: ReadPlugin) => ({
  document,
  operations: operations as unknown as Prisma.InputJsonValue,
  refreshedAt: new Date(),
});

async function store(ctx: DomainContext, id: string, data: Prisma.PluginUncheckedUpdateManyInput): Promise<Plugin> {
  const [plugin] = await ctx.db.plugin.updateManyAndReturn({ where: { id }, data });
  if (!plugin) throw new NotFoundError(id);
  return plugin;
}

/** Deletes a plug-in. Assistants and runs that name it go on without it. */
export async function deletePlugin(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id } = parse(z.object({ id: z.string() }), input);
  const { count } = isId('Plugin', id) ? await ctx.db.plugin.deleteMany({ where: { id } }) : { count: 0 };
  if (count === 0) throw new NotFoundError(id);
  return id;
}
