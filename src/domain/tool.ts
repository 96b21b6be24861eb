import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { absentOr, textUpTo } from './input.ts';

/** A JSON Schema for an object. */
type ObjectSchema = Record<string, unknown>;

/** A function that the client runs; the model sees its name, description and parameters. */
export interface FunctionTool {
  type: 'function';
  name: string;
  description: string | null;
  parameters: ObjectSchema;
  strict: boolean;
}

/** A tool as an assistant's or a run's row keeps it. */
export type Tool = FunctionTool;

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

/** The tools of the contract that this server cannot run. */
const notHere = ['codeInterpreter', 'textToImage', 'plugin', 'fileSearch', 'webSearch'] as const;

const tool = z.looseObject({ function: functionTool.optional() }).transform((input, check): Tool => {
  const asked = notHere.find((kind) => input[kind] !== undefined && input[kind] !== null);
  if (asked) check.addIssue({ code: 'custom', path: [asked], message: 'This server has no such tool: use function' });
  if (!input.function) {
    if (!asked) check.addIssue({ code: 'custom', message: 'Name one tool' });
    return z.NEVER;
  }
  const { name, description, parameters, strict } = input.function;
  return { type: 'function', name, description: description ?? null, parameters, strict: strict ?? false };
});

/** The `tools` of an input: up to 128, each function name once. */
export const tools = z
  .array(tool)
  .max(128, 'At most 128 tools, please')
  .superRefine((list, check) => {
    const seen = new Set<string>();
    for (const [index, { name }] of list.entries()) {
      if (seen.has(name)) {
        check.addIssue({
          code: 'custom',
          path: [index, 'function', 'name'],
          message: `The name ${name} is taken by another tool`,
        });
      }
      seen.add(name);
    }
  });

/** The tools of a row. */
export const storedTools = (json: unknown): Tool[] => json as Tool[];
