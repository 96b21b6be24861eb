import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider';

/** What is known of a model. Prices are in US dollars for a million tokens, as decimal texts. */
export interface ModelInfo {
  /** `provider/model`, the name under which it is found whatever else is configured. */
  id: string;
  provider: string;
  contextWindow: number | null;
  supportsTools: boolean;
  supportsImages: boolean;
  supportsReasoning: boolean;
  inputPricePerMillion: string | null;
  outputPricePerMillion: string | null;
  /** For input that the provider had cached; null: the input price. */
  cachedInputPricePerMillion: string | null;
}

/** No configured provider answers to the name; `message` says what to set. */
export class UnknownModelError extends Error {}

/** What providers are asked for, each in its own words. */
export interface ProviderWishes {
  /** The model must not make several calls in one answer. */
  oneCallAtATime: boolean;
  /** Whether the provider must keep strictly to the schema of the answer; null: the answer has none. */
  strictSchema: boolean | null;
}

/** The models that this server can call. */
export interface ModelCatalog {
  /** The model used where nothing names one, as `provider/model`. */
  readonly defaultModel: string;
  /** What `model` may name. Asks the providers, and answers from the built-in table where one does not say. */
  list(): Promise<ModelInfo[]>;
  /** `provider/model` for a name: a bare name goes to the provider that claims it. Throws UnknownModelError. */
  resolve(name: string): string;
  /** What is known of a resolved model; a model not in the table has no price and no known limits. */
  describe(id: string): ModelInfo;
  /** What is asked of a provider beyond what all of them have in common, in its own words; for a resolved name. */
  providerOptions(id: string, wishes: ProviderWishes): LanguageModelV4CallOptions['providerOptions'];
  /** The model to call, for a resolved name. */
  languageModel(id: string): LanguageModelV4;
}
