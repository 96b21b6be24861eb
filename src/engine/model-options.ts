import type { LanguageModelV4CallOptions } from '@ai-sdk/provider';
import type { ResponseFormat, ToolChoice } from '../domain/run/generation.ts';
import type { RunExecution } from './run-execution.ts';

/** The options of the next model call of a run, without the prompt. */
export function callOptions({ ctx, run, toolbox, usage }: RunExecution): Omit<LanguageModelV4CallOptions, 'prompt'> {
  const tools = toolbox.forModel;
  const format = run.responseFormat as ResponseFormat | null;
  return {
    temperature: run.temperature ?? undefined,
    topP: run.topP ?? undefined,
    topK: run.topK ?? undefined,
    seed: run.seed ?? undefined,
    ...(run.stop.length > 0 ? { stopSequences: run.stop } : {}),
    ...(run.reasoningEffort === null ? {} : { reasoning: efforts[run.reasoningEffort] }),
    maxOutputTokens: run.maxCompletionTokens === null ? undefined : run.maxCompletionTokens - usage.completionTokens,
    responseFormat: responseFormatFor(format),
    providerOptions: ctx.models.providerOptions(run.model, {
      oneCallAtATime: tools.length > 0 && !run.parallelToolCalls,
      strictSchema: format?.type === 'json_schema' ? (format.json_schema.strict ?? false) : null,
      topK: run.topK,
    }),
    ...(tools.length > 0 ? { tools, toolChoice: toolChoiceFor(run.toolChoice as ToolChoice | null) } : {}),
  };
}

const efforts = { NONE: 'none', MINIMAL: 'minimal', LOW: 'low', MEDIUM: 'medium', HIGH: 'high' } as const;

function toolChoiceFor(choice: ToolChoice | null): LanguageModelV4CallOptions['toolChoice'] {
  if (choice === null) return { type: 'auto' };
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.function.name };
}

function responseFormatFor(format: ResponseFormat | null): LanguageModelV4CallOptions['responseFormat'] {
  if (format === null || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: 'json' };
  const { name, description, schema } = format.json_schema;
  return { type: 'json', name, description, schema };
}
