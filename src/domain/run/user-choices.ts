import type { RunOverride } from '../../db/generated/client.ts';
import { overridesOf, requireOverride, rightsOfActor } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError } from '../error.ts';
import { runLimits } from '../limits.ts';
import { effectiveModel } from './generation.ts';

/** The override that opens each field of a run's input to end users. */
export const choiceOverrides = {
  model: 'MODEL',
  temperature: 'MODEL',
  topP: 'MODEL',
  topK: 'MODEL',
  seed: 'MODEL',
  stop: 'MODEL',
  reasoningEffort: 'MODEL',
  providerOptions: 'MODEL',
  instructions: 'INSTRUCTIONS',
  additionalInstructions: 'INSTRUCTIONS',
  responseFormat: 'INSTRUCTIONS',
  tools: 'TOOLS',
  toolChoice: 'TOOLS',
  parallelToolCalls: 'TOOLS',
  maxPromptTokens: 'LIMITS',
  maxCompletionTokens: 'LIMITS',
  maxSteps: 'LIMITS',
  truncation: 'LIMITS',
} as const satisfies Record<string, RunOverride>;

type Choices = { readonly [Field in keyof typeof choiceOverrides]?: unknown };
const fields = Object.keys(choiceOverrides) as Array<keyof Choices>;

/** Whether a field has the value that it also has without a choice. The schema adds default values to each input. */
function isDefault(field: keyof Choices, value: unknown): boolean {
  if (field === 'truncation') return (value as { strategy: string }).strategy === 'AUTO';
  const defaults: Choices = { maxSteps: runLimits.defaultSteps, parallelToolCalls: true, toolChoice: 'auto' };
  return value === defaults[field];
}

/** Throws ForbiddenError for a choice in the input of a run that the operator has not opened to the end user. */
export function requireOpenChoices(ctx: DomainContext, choices: Choices): void {
  for (const field of fields) {
    const value = choices[field];
    if (value !== undefined && !isDefault(field, value)) {
      requireOverride(ctx, choiceOverrides[field], `choose the \`${field}\` of a run`);
    }
  }
  const { model } = choices;
  if (typeof model !== 'string' || mayChooseModel(ctx, model)) return;
  const howTo = "To open it, add it to `endUsers.models` in the workspace's settings.";
  throw new ForbiddenError(null, `You may not choose the model ${JSON.stringify(model)}. ${howTo}`, 'MODEL');
}

/** Throws InvalidInputError for a model that no configured provider has. */
function mayChooseModel(ctx: DomainContext, model: string): boolean {
  const models = rightsOfActor(ctx)?.models ?? null;
  return models === null || models.includes(effectiveModel(ctx, model, null));
}

/** The choices of an earlier run that the actor may repeat: those that it could make itself. */
export function openChoices<Configuration extends Choices>(
  ctx: DomainContext,
  configuration: Configuration,
): Partial<Configuration> {
  const open = overridesOf(ctx);
  const kept = Object.entries(configuration).filter(([field, value]) => {
    const override = choiceOverrides[field as keyof Choices] as RunOverride | undefined;
    const isOpen = override === undefined || open.includes(override);
    return isOpen && (field !== 'model' || mayChooseModel(ctx, value as string));
  });
  return Object.fromEntries(kept) as Partial<Configuration>;
}
