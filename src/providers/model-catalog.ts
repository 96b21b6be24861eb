import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';

/** The properties of a model. Prices are decimal strings in US dollars for a million tokens. */
export interface ModelInfo {
  /** `vendor/model`, or `demo`. */
  id: string;
  provider: string;
  contextWindow: number | null;
  supportsTools: boolean;
  supportsImages: boolean;
  supportsReasoning: boolean;
  inputPricePerMillion: string | null;
  outputPricePerMillion: string | null;
  /** For input tokens that the provider had cached; null: the input price. */
  cachedInputPricePerMillion: string | null;
}

/** No configured provider serves the model. `message` names the variable to set. */
export class UnknownModelError extends Error {}

/** What a call needs that each provider names differently. */
export interface ProviderWishes {
  /** The answer may contain one tool call at most. */
  oneCallAtATime: boolean;
  /** Whether the provider must enforce the schema of the answer; null: the answer has no schema. */
  strictSchema: boolean | null;
  /** The number of the most probable tokens to consider; null: the provider's default. */
  topK: number | null;
}

/** The models that the server can call. */
export interface ModelCatalog {
  /** The model to use where nothing names one, as `vendor/model` or `demo`. */
  readonly defaultModel: string;
  /** All models: those that the providers list, or the built-in table of a provider that does not list its models. */
  list(): Promise<ModelInfo[]>;
  /** The id (`vendor/model`) for a name: a name without a vendor goes to the vendor that claims it. Throws UnknownModelError. */
  resolve(name: string): string;
  /** The properties of a resolved model. A model that is in no table has neither prices nor known limits. */
  describe(id: string): ModelInfo;
  /** The provider options for a call of a resolved model. */
  providerOptions(id: string, wishes: ProviderWishes): LanguageModelV4CallOptions['providerOptions'];
  /** The model to call, for a resolved name. Throws UnknownModelError where its provider is no longer configured. */
  languageModel(id: string): LanguageModelV4;
}
