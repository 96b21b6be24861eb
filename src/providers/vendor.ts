import type { EmbeddingModelV4, EmbeddingModelV4CallOptions, ImageModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import type { OptionalGroup, Setting } from '../config/setting.ts';
import type { EmbeddingUse } from './embedder.ts';
import type { KnownModel } from './known-models.ts';

/** How to reach a provider. */
export interface ProviderSettings {
  readonly baseURL: string;
  /** null for a server without authentication (Ollama, vLLM, …). */
  readonly apiKey: string | null;
}

/** Fetches a URL that a provider names: only from public addresses, and from those that the operator allows. */
export type FetchAnywhere = (
  url: URL,
  signal: AbortSignal | undefined,
) => Promise<{ ok: boolean; status: number; body: unknown }>;

/** A vendor of models: its settings, and how to call its models. */
export interface Vendor {
  /** The part of a model's id before the slash. */
  readonly name: string;
  readonly label: string;
  /** The vendor is configured when the group is enabled. */
  readonly settings: OptionalGroup<{ apiKey: Setting<string | null>; baseURL: Setting<string> }>;
  /** Whether a model without a vendor in its name is one of this vendor. */
  readonly claims: (model: string) => boolean;
  readonly open: (settings: ProviderSettings, fetchAnywhere: FetchAnywhere) => Provider;
}

/** A configured vendor. Models are named without the vendor. */
export interface Provider {
  /** The model to use when nothing names one; null: the first that the provider lists. */
  readonly defaultModel: string | null;
  readonly knownModels: readonly KnownModel[];
  /** The provider option that limits an answer to one tool call. */
  readonly oneCallAtATime: Record<string, boolean>;
  /** The provider option for the number of tokens to consider; absent: the package of the vendor knows it. */
  topK?(count: number): Record<string, number>;
  languageModel(name: string): LanguageModelV4;
  /** Absent: the provider has no image models. */
  imageModel?(name: string): ImageModelV4;
  /** The image model to use when nothing names one; null: none. */
  readonly defaultImageModel: string | null;
  /** Absent: the provider has no embedding models. */
  embeddingModel?(name: string): EmbeddingModelV4;
  /** The options of an embedding call that only this provider knows. */
  embeddingOptions?(use: EmbeddingUse, dimensions: number | null): EmbeddingModelV4CallOptions['providerOptions'];
}

/** The variables that configure a vendor. */
export const variablesOf = ({ settings }: Vendor) => settings.enabling.map(({ variable }) => variable);

/** A list of alternatives in words: `A, B or C`. */
export const either = (names: string[]) => new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(names);
