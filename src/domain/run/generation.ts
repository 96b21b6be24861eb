import { z } from 'zod';
import { UnknownModelError } from '../../providers/model-catalog.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError } from '../error.ts';
import { clearable, positive, textUpTo } from '../input.ts';
import { inputLimits, runLimits, toolLimits } from '../limits.ts';
import { schemaFault } from '../tool/tool-input.ts';

/** The format of an answer, in the form of OpenAI's `response_format`. */
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; json_schema: { name: string; description?: string; schema?: object; strict?: boolean } };

/** Whether the model must call a tool, and which one, in the form of OpenAI's `tool_choice`. */
export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };

const formatHelp =
  'Must be { "type": "text" }, { "type": "json_object" } or { "type": "json_schema", "json_schema": { "name", "schema" } }';
const isSchema = (schema: Record<string, unknown>, check: z.RefinementCtx) => {
  const fault = schemaFault(schema, 'schema');
  if (fault) check.addIssue({ code: 'custom', message: fault });
};
const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.object({ type: z.literal('text') }),
    z.object({ type: z.literal('json_object') }),
    z.object({
      type: z.literal('json_schema'),
      json_schema: z.object({
        name: z
          .string()
          .regex(
            new RegExp(`^[A-Za-z0-9_-]{1,${runLimits.formatName}}$`),
            `A name has 1 to ${runLimits.formatName} letters, digits, _ or -`,
          ),
        description: z.string().optional(),
        schema: z.looseObject({}).superRefine(isSchema).optional(),
        strict: z.boolean().optional(),
      }),
    }),
  ],
  { error: formatHelp },
);

/** The `toolChoice` of a run. */
export const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.object({
      type: z.literal('function'),
      function: z.object({ name: z.string().min(1).max(toolLimits.functionName) }),
    }),
  ],
  { error: 'Must be "none", "auto", "required" or { "type": "function", "function": { "name" } }' },
);

/** The name of a model. */
export const modelName = z
  .string()
  .trim()
  .min(1, 'Must not be empty')
  .max(inputLimits.model, `At most ${inputLimits.model} characters`);

const numberUpTo = (max: number) => z.number().min(0, `From 0 to ${max}`).max(max, `From 0 to ${max}`);

/** The generation settings that assistants and runs have in common. */
export const generation = {
  model: clearable(modelName),
  instructions: clearable(textUpTo(runLimits.instructions)),
  temperature: clearable(numberUpTo(runLimits.temperature)),
  topP: clearable(numberUpTo(runLimits.topP)),
  maxCompletionTokens: clearable(positive),
  responseFormat: clearable(responseFormat),
};

/**
 * The resolved name of a model; without a name the workspace's default, or else the server's. Throws InvalidInputError
 * for a model that no configured provider has.
 */
export function effectiveModel(ctx: DomainContext, name: string | null, workspaceDefault: string | null): string {
  try {
    return ctx.models.resolve(name ?? workspaceDefault ?? ctx.models.defaultModel);
  } catch (error) {
    if (error instanceof UnknownModelError) throw InvalidInputError.at('model', error.message);
    throw error;
  }
}
