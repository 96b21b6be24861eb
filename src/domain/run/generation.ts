import { z } from 'zod';
import { ReasoningEffort } from '../../db/generated/client.ts';
import { UnknownModelError } from '../../providers/model-catalog.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError } from '../error.ts';
import { absentOr, clearable, integer, listUpTo, positive, textUpTo } from '../input.ts';
import { inputLimits, runLimits, toolLimits } from '../limits.ts';
import { schemaFault } from '../tool/tool-input.ts';

/** The format of an answer, in the form of OpenAI's `response_format`. */
export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; json_schema: { name: string; description?: string; schema?: object; strict?: boolean } };

/** Whether the model must call a tool, and which one, in the form of OpenAI's `tool_choice`. */
export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } };

const oneOf = (...fields: string[]) => `Exactly one of ${fields.join(' and ')} is required`;
const isSchema = (schema: Record<string, unknown>, check: z.RefinementCtx) => {
  const fault = schemaFault(schema, 'schema');
  if (fault) check.addIssue({ code: 'custom', message: fault });
};
const responseFormat = z
  .object({
    type: absentOr(z.enum(['TEXT', 'JSON_OBJECT'])),
    jsonSchema: absentOr(
      z.object({
        name: z
          .string()
          .regex(
            new RegExp(`^[A-Za-z0-9_-]{1,${runLimits.formatName}}$`),
            `A name has 1 to ${runLimits.formatName} letters, digits, _ or -`,
          ),
        description: absentOr(textUpTo(runLimits.formatDescription)),
        schema: absentOr(z.looseObject({}).superRefine(isSchema)),
        strict: absentOr(z.boolean()),
      }),
    ),
  })
  .refine(({ type, jsonSchema }) => (type === undefined) !== (jsonSchema === undefined), oneOf('type', 'jsonSchema'))
  .transform(
    ({ type, jsonSchema }): ResponseFormat =>
      jsonSchema
        ? { type: 'json_schema', json_schema: jsonSchema }
        : { type: type === 'TEXT' ? 'text' : 'json_object' },
  );

const modes = { NONE: 'none', AUTO: 'auto', REQUIRED: 'required' } as const;

/** The `toolChoice` of a run. */
export const toolChoice = z
  .object({
    mode: absentOr(z.enum(['NONE', 'AUTO', 'REQUIRED'])),
    function: absentOr(textUpTo(toolLimits.functionName).min(1, 'Must not be empty')),
  })
  .refine((choice) => (choice.mode === undefined) !== (choice.function === undefined), oneOf('mode', 'function'))
  .transform(
    ({ mode, function: name }): ToolChoice =>
      name === undefined ? modes[mode ?? 'AUTO'] : { type: 'function', function: { name } },
  );

/** The name of a model. */
export const modelName = z
  .string()
  .trim()
  .min(1, 'Must not be empty')
  .max(inputLimits.model, `At most ${inputLimits.model} characters`);

/** Parameters of a request that the server sets, with the field that chooses each; null: it cannot be chosen. */
const ownParameters: Readonly<Record<string, string | null>> = {
  ...{ model: 'model', temperature: 'temperature', top_p: 'topP', top_k: 'topK', seed: 'seed', stop: 'stop' },
  ...{ max_tokens: 'maxCompletionTokens', max_completion_tokens: 'maxCompletionTokens' },
  ...{
    reasoning_effort: 'reasoningEffort',
    response_format: 'responseFormat',
    parallel_tool_calls: 'parallelToolCalls',
  },
  ...{ tools: 'tools', tool_choice: 'toolChoice', functions: 'tools', function_call: 'toolChoice' },
  ...{ messages: null, input: null, prompt: null, stream: null, stream_options: null, n: null, store: null },
};

const providerOptions = z.record(z.string(), z.unknown()).superRefine((options, check) => {
  const issue = (message: string, path: string[] = []) => check.addIssue({ code: 'custom', message, path });
  if (JSON.stringify(options).length > runLimits.providerOptions) {
    issue(`At most ${runLimits.providerOptions} characters as JSON`);
  }
  for (const name of Object.keys(options)) {
    const field = Object.hasOwn(ownParameters, name) ? ownParameters[name] : undefined;
    if (field !== undefined)
      issue(field === null ? 'The server sets this parameter' : `Use the field ${field}`, [name]);
  }
});

const numberUpTo = (max: number) => z.number().min(0, `From 0 to ${max}`).max(max, `From 0 to ${max}`);

/** The generation settings that assistants and runs have in common. */
export const generation = {
  model: clearable(modelName),
  instructions: clearable(textUpTo(runLimits.instructions)),
  temperature: clearable(numberUpTo(runLimits.temperature)),
  topP: clearable(numberUpTo(runLimits.topP)),
  maxCompletionTokens: clearable(positive),
  responseFormat: clearable(responseFormat),
  reasoningEffort: clearable(z.enum(ReasoningEffort)),
  seed: clearable(z.int()),
  topK: clearable(integer(1, runLimits.topK)),
  stop: absentOr(listUpTo(textUpTo(runLimits.stop).min(1, 'Must not be empty'), runLimits.stops, 'stop sequences')),
  providerOptions: clearable(providerOptions),
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
