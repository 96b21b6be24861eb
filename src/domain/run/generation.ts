import { z } from 'zod';
import { UnknownModelError } from '../../providers/model-catalog.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError } from '../error.ts';
import { clearable, textUpTo } from '../input.ts';
import { schemaFault } from '../tool/tool-input.ts';

/** How an answer is to be shaped, in the form of OpenAI's `response_format`. */
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; json_schema: { name: string; description?: string; schema?: object; strict?: boolean } };

/** Whether and which tool must be called, in the form of OpenAI's `tool_choice`. */
export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };

const formatHelp =
  'Use { "type": "text" }, { "type": "json_object" } or { "type": "json_schema", "json_schema": { "name", "schema" } }';
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
        name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
        description: z.string().optional(),
        schema: z.looseObject({}).superRefine(isSchema).optional(),
        strict: z.boolean().optional(),
      }),
    }),
  ],
  { error: formatHelp },
);

/** For `toolChoice` of a run. */
export const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.object({ type: z.literal('function'), function: z.object({ name: z.string().min(1).max(64) }) }),
  ],
  { error: 'Use "none", "auto", "required" or { "type": "function", "function": { "name" } }' },
);

/** The rules of what steers a generation, alike for assistants and runs. */
export const generation = {
  model: clearable(z.string().trim().min(1, 'Name a model').max(200)),
  instructions: clearable(textUpTo(256_000)),
  temperature: clearable(z.number().min(0, 'From 0 to 2, please').max(2, 'From 0 to 2, please')),
  topP: clearable(z.number().min(0, 'From 0 to 1, please').max(1, 'From 0 to 1, please')),
  maxCompletionTokens: clearable(z.int().min(1, 'At least 1, please')),
  responseFormat: clearable(responseFormat),
};

/** The resolved name of the model for a name, or for none: the workspace's default, else the server's. */
export function effectiveModel(ctx: DomainContext, name: string | null, workspaceDefault: string | null): string {
  try {
    return ctx.models.resolve(name ?? workspaceDefault ?? ctx.models.defaultModel);
  } catch (error) {
    if (error instanceof UnknownModelError) throw InvalidInputError.at('model', error.message);
    throw error;
  }
}
