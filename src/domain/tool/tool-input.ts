import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { isId } from '../../id.ts';
import type { ObjectSchema, Tool } from '../../tools/tool.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError } from '../error.ts';
import { absentOr, integer, listUpTo, textUpTo } from '../input.ts';
import { inputLimits, pluginLimits, toolLimits } from '../limits.ts';

const schemaDialects = { draft07: new Ajv({ strict: false }), draft2020: new Ajv2020({ strict: false }) };

/** Why a JSON Schema of function parameters is invalid, as a sentence; null: it is valid. */
function parametersFault(schema: ObjectSchema): string | null {
  if (schema.type !== undefined && schema.type !== 'object')
    return 'The schema of parameters must have the type "object".';
  return schemaFault(schema, 'parameters');
}

/** Why a JSON Schema is invalid, as a sentence; null: it is valid. `name` stands for the schema in the sentence. */
export function schemaFault(schema: ObjectSchema, name: string): string | null {
  if (JSON.stringify(schema).length > toolLimits.schema) return `At most ${toolLimits.schema} characters in a schema.`;
  const ajv = String(schema.$schema ?? '').includes('2020-12') ? schemaDialects.draft2020 : schemaDialects.draft07;
  const { $schema: _dialect, ...rules } = schema;
  if (ajv.validateSchema(rules) === true) return null;
  return `Not a valid JSON Schema: ${ajv.errorsText(ajv.errors, { dataVar: name })}.`;
}

const parameters = z
  .unknown()
  .optional()
  .transform((value, check): ObjectSchema => {
    if (value === undefined || value === null) return { type: 'object', properties: {} };
    if (typeof value !== 'object' || Array.isArray(value)) {
      check.addIssue({
        code: 'custom',
        message: 'Must be a JSON Schema: { "type": "object", "properties": { … } }',
      });
      return z.NEVER;
    }
    const schema = value as ObjectSchema;
    const fault = parametersFault(schema);
    if (fault) check.addIssue({ code: 'custom', message: fault });
    return schema;
  });

const functionTool = z.object({
  name: z
    .string()
    .regex(
      new RegExp(`^[A-Za-z0-9_-]{1,${toolLimits.functionName}}$`),
      `A function name has 1 to ${toolLimits.functionName} letters, digits, _ or -`,
    ),
  description: absentOr(textUpTo(toolLimits.functionDescription)),
  parameters,
  strict: absentOr(z.boolean()),
});

const seconds = integer(1, toolLimits.codeSeconds, 'seconds');
const results = integer(1, toolLimits.searchResults);
const size = z.string().regex(/^[1-9]\d{1,4}x[1-9]\d{1,4}$/, 'Must be width x height, such as 1024x1024');
const names = listUpTo(
  textUpTo(pluginLimits.operationName).min(1, 'Must not be empty'),
  pluginLimits.operations,
  'operations',
).min(1, 'At least 1 operation; omit the field for all');

/** The fields of ToolInput, each with the tool that it becomes. */
const kinds = {
  function: functionTool.transform(
    ({ description, strict, ...rest }): Tool => ({
      ...{ type: 'function', ...rest, description: description ?? null, strict: strict ?? false },
    }),
  ),
  codeInterpreter: z.object({ timeoutSeconds: absentOr(seconds) }).transform(
    ({ timeoutSeconds }): Tool => ({
      type: 'code_interpreter',
      timeoutSeconds: timeoutSeconds ?? toolLimits.defaultCodeSeconds,
    }),
  ),
  textToImage: z
    .object({ model: absentOr(textUpTo(inputLimits.model)), size: absentOr(size) })
    .transform(({ model, size }): Tool => ({ type: 'text_to_image', model: model ?? null, size: size ?? null })),
  plugin: z
    .object({ pluginId: z.string(), operations: absentOr(names) })
    .transform(({ pluginId, operations }): Tool => ({ type: 'plugin', pluginId, operations: operations ?? null })),
  fileSearch: z
    .object({ maxResults: absentOr(results) })
    .transform(({ maxResults }): Tool => ({ type: 'file_search', maxResults: maxResults ?? 10 })),
  webSearch: z
    .object({ maxResults: absentOr(results) })
    .transform(({ maxResults }): Tool => ({ type: 'web_search', maxResults: maxResults ?? 5 })),
};

const tool = z
  .object({
    function: kinds.function.nullish(),
    codeInterpreter: kinds.codeInterpreter.nullish(),
    textToImage: kinds.textToImage.nullish(),
    plugin: kinds.plugin.nullish(),
    fileSearch: kinds.fileSearch.nullish(),
    webSearch: kinds.webSearch.nullish(),
  })
  .transform((input, check): Tool => {
    const [first, second] = Object.values(input).filter((one) => one !== undefined && one !== null);
    if (first && !second) return first;
    check.addIssue({ code: 'custom', message: 'Exactly one kind of tool is required' });
    return z.NEVER;
  });

/**
 * The name by which a model calls a tool. For a plugin its ID: the names of its operations are known at the run only.
 */
const nameOf = (tool: Tool): string => {
  if (tool.type === 'function') return tool.name;
  return tool.type === 'plugin' ? tool.pluginId : tool.type;
};

/** The `tools` of an input: each name and each plugin at most once. */
export const tools = listUpTo(tool, toolLimits.perRun, 'tools').superRefine((list, check) => {
  const seen = new Set<string>();
  for (const [index, one] of list.entries()) {
    const name = nameOf(one);
    const path = one.type === 'function' ? [index, 'function', 'name'] : [index];
    if (seen.has(name)) check.addIssue({ code: 'custom', path, message: `Another tool has the name ${name}` });
    seen.add(name);
  }
});

/** The tools in a JSON column. */
export const storedTools = (json: unknown): Tool[] => json as Tool[];

/**
 * Checks that the tools of an input are available. Throws InvalidInputError for a tool that this server is not
 * configured for, or an operation that a plugin does not have; NotFoundError for a plugin that does not exist.
 */
export async function checkTools(
  ctx: DomainContext,
  db: Pick<Transaction, 'plugin'>,
  list: readonly Tool[] | undefined,
): Promise<void> {
  for (const [index, one] of (list ?? []).entries()) {
    const refusal = ctx.tools.unavailableReason(one);
    if (refusal) throw InvalidInputError.at(`tools.${index}`, refusal);
    if (one.type !== 'plugin') continue;
    const { pluginId } = one;
    const plugin = isId('Plugin', pluginId) ? await db.plugin.findFirst({ where: { id: pluginId } }) : null;
    if (!plugin) throw new NotFoundError(pluginId);
    const available = new Set((plugin.operations as Array<{ name: string }>).map(({ name }) => name));
    const unknown = one.operations?.find((name) => !available.has(name));
    if (unknown !== undefined) {
      throw InvalidInputError.at(`tools.${index}.plugin.operations`, `The plugin has no operation ${unknown}.`);
    }
  }
}
