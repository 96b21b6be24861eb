import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { isId } from '../../id.ts';
import type { ObjectSchema, Tool } from '../../tools/tool.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError } from '../error.ts';
import { absentOr, textUpTo } from '../input.ts';

const schemaDialects = { draft07: new Ajv({ strict: false }), draft2020: new Ajv2020({ strict: false }) };

/** What is wrong with a JSON Schema for parameters, in a sentence; null when nothing is. */
function parametersFault(schema: ObjectSchema): string | null {
  if (schema.type !== undefined && schema.type !== 'object') return 'The schema of parameters has type "object".';
  return schemaFault(schema, 'parameters');
}

/** What is wrong with a JSON Schema of that name, in a sentence; null when nothing is. */
export function schemaFault(schema: ObjectSchema, name: string): string | null {
  if (JSON.stringify(schema).length > 64_000) return 'A schema has at most 64,000 characters.';
  const ajv = String(schema.$schema ?? '').includes('2020-12') ? schemaDialects.draft2020 : schemaDialects.draft07;
  const { $schema: _dialect, ...rules } = schema;
  if (ajv.validateSchema(rules) === true) return null;
  return `This is not a JSON Schema: ${ajv.errorsText(ajv.errors, { dataVar: name })}.`;
}

const parameters = z
  .unknown()
  .optional()
  .transform((value, check): ObjectSchema => {
    if (value === undefined || value === null) return { type: 'object', properties: {} };
    if (typeof value !== 'object' || Array.isArray(value)) {
      check.addIssue({
        code: 'custom',
        message: 'A JSON Schema is an object: { "type": "object", "properties": { … } }',
      });
      return z.NEVER;
    }
    const schema = value as ObjectSchema;
    const fault = parametersFault(schema);
    if (fault) check.addIssue({ code: 'custom', message: fault });
    return schema;
  });

const functionTool = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'A function name has 1 to 64 letters, digits, _ or -'),
  description: absentOr(textUpTo(1024)),
  parameters,
  strict: absentOr(z.boolean()),
});

const seconds = z.int().min(1, 'At least 1 s, please').max(300, 'At most 300 s, please');
const results = z.int().min(1, 'At least 1, please').max(50, 'At most 50, please');
const size = z.string().regex(/^[1-9]\d{1,4}x[1-9]\d{1,4}$/, 'A size is width x height, such as 1024x1024');
const names = z.array(z.string().min(1).max(64)).min(1, 'Name one operation at least, or leave it out').max(128);

/** Each field of ToolInput, and the tool that it makes. */
const kinds = {
  function: functionTool.transform(
    ({ description, strict, ...rest }): Tool => ({
      ...{ type: 'function', ...rest, description: description ?? null, strict: strict ?? false },
    }),
  ),
  codeInterpreter: z
    .object({ timeoutSeconds: absentOr(seconds) })
    .transform(({ timeoutSeconds }): Tool => ({ type: 'code_interpreter', timeoutSeconds: timeoutSeconds ?? 30 })),
  textToImage: z
    .object({ model: absentOr(textUpTo(200)), size: absentOr(size) })
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
    const [made, second] = Object.values(input).filter((one) => one !== undefined && one !== null);
    if (made && !second) return made;
    check.addIssue({ code: 'custom', message: 'Name one tool' });
    return z.NEVER;
  });

/** What a tool is called by, where that is known before the run; of a plug-in, which may be there once. */
const nameOf = (tool: Tool): string => {
  if (tool.type === 'function') return tool.name;
  return tool.type === 'plugin' ? tool.pluginId : tool.type;
};

/** The `tools` of an input: up to 128, each name and each plug-in once. */
export const tools = z
  .array(tool)
  .max(128, 'At most 128 tools, please')
  .superRefine((list, check) => {
    const seen = new Set<string>();
    for (const [index, one] of list.entries()) {
      const name = nameOf(one);
      const path = one.type === 'function' ? [index, 'function', 'name'] : [index];
      if (seen.has(name))
        check.addIssue({ code: 'custom', path, message: `The name ${name} is taken by another tool` });
      seen.add(name);
    }
  });

/** The tools of a row. */
export const storedTools = (json: unknown): Tool[] => json as Tool[];

/**
 * Checks that the tools of an input can be used here. Throws InvalidInputError for one that this server is not set up for,
 * or an operation that a plug-in does not have; NotFoundError for a plug-in that is not there.
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
    const has = new Set((plugin.operations as Array<{ name: string }>).map(({ name }) => name));
    const unknown = one.operations?.find((name) => !has.has(name));
    if (unknown !== undefined) {
      throw InvalidInputError.at(`tools.${index}.plugin.operations`, `The plug-in has no operation ${unknown}.`);
    }
  }
}
