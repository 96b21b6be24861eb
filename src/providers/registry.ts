import { createAlibaba } from '@ai-sdk/alibaba';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModelV4 } from '@ai-sdk/provider';
import { z } from 'zod';
import type { ProviderSettings } from '../config/config.ts';
import { DemoModel, demoModelInfo } from './demo.ts';
import { knownModels, readCatalogFile, unknownModel } from './known-models.ts';
import { type ModelCatalog, type ModelInfo, type ProviderWishes, UnknownModelError } from './model-catalog.ts';
import { compatibleProvider, isOpenai } from './openai.ts';

/** The providers to call, and what the operator says of their models. */
export interface RegistryOptions {
  alibaba: ProviderSettings | null;
  openai: ProviderSettings | null;
  defaultModel: string | null;
  demoDelayMs: number;
  catalogFile: string | null;
}

interface Provider {
  name: string;
  settings: ProviderSettings | null;
  /** Whether the provider answers to a bare name. */
  claims: (model: string) => boolean;
  /** What to set to have it. */
  help: string;
  /** The model to use when nothing names one; null: the first that the provider itself lists. */
  defaultModel: string | null;
  model: (name: string) => LanguageModelV4;
  /** How it is told to make one call at a time. */
  oneCallAtATime: Record<string, boolean>;
}

const maxMade = 500;
const listTtlMs = 5 * 60_000;
const listTimeoutMs = 3000;

function alibaba(settings: ProviderSettings | null): Provider {
  const provider = settings && createAlibaba(settings);
  return {
    name: 'alibaba',
    settings,
    claims: (model) => /^(qwen|qwq|qvq)/i.test(model),
    help: 'DASHSCOPE_API_KEY',
    defaultModel: 'qwen-plus',
    model: (name) => (provider as NonNullable<typeof provider>).languageModel(name),
    oneCallAtATime: { parallelToolCalls: false },
  };
}

/** OpenAI itself is called by its own package, which knows its reasoning models; what imitates it, by the compatible one. */
function openai(settings: ProviderSettings | null): Provider {
  const isReal = isOpenai(settings);
  const call = settings && (isReal ? createOpenAI(settings).chat : compatibleProvider(settings).chatModel);
  return {
    name: 'openai',
    settings,
    claims: () => true,
    help: 'OPENAI_API_KEY, or OPENAI_BASE_URL for a server that speaks its chat completions',
    defaultModel: isReal ? 'gpt-5-mini' : null,
    model: (name) => (call as NonNullable<typeof call>)(name),
    // What the compatible one does not know goes into the request as it is.
    oneCallAtATime: isReal ? { parallelToolCalls: false } : { parallel_tool_calls: false },
  };
}

/** The models of the configured providers and the built-in demo. */
export class ModelRegistry implements ModelCatalog {
  readonly #providers: Provider[];
  readonly #overrides: Map<string, Partial<ModelInfo>>;
  readonly #demo: DemoModel;
  readonly #listed = new Map<string, { until: number; models: Promise<string[] | null> }>();
  readonly #made = new Map<string, LanguageModelV4>();
  #defaultModel = 'demo';

  private constructor(options: RegistryOptions, overrides: Map<string, Partial<ModelInfo>>) {
    this.#providers = [alibaba(options.alibaba), openai(options.openai)];
    this.#overrides = overrides;
    this.#demo = new DemoModel(options.demoDelayMs);
  }

  /** Opens the registry. Throws ConfigError for a bad catalog file, UnknownModelError for a default nobody answers to. */
  static async open(options: RegistryOptions): Promise<ModelRegistry> {
    const registry = new ModelRegistry(options, await readCatalogFile(options.catalogFile));
    registry.#defaultModel = options.defaultModel
      ? registry.resolve(options.defaultModel)
      : await registry.#chooseDefault();
    return registry;
  }

  get defaultModel(): string {
    return this.#defaultModel;
  }

  resolve(name: string): string {
    if (name === 'demo') return name;
    const slash = name.indexOf('/');
    const named = this.#providers.find((provider) => provider.name === name.slice(0, Math.max(slash, 0)));
    const provider = named ?? (this.#providers.find(({ claims }) => claims(name)) as Provider);
    if (provider.settings) return named ? name : `${provider.name}/${name}`;
    const configured = [...this.#providers.filter(({ settings }) => settings).map(({ name }) => `${name}/…`), 'demo'];
    throw new UnknownModelError(
      `No provider answers to the model ${JSON.stringify(name)}. Use one of ${configured.join(', ')}, or set ${provider.help}.`,
    );
  }

  describe(id: string): ModelInfo {
    if (id === 'demo') return demoModelInfo;
    const provider = id.slice(0, id.indexOf('/'));
    const base = this.#knownOf(provider).find((model) => model.id === id) ?? unknownModel(id);
    return { ...base, ...this.#overrides.get(id) };
  }

  async list(): Promise<ModelInfo[]> {
    const lists = this.#providers.filter(({ settings }) => settings).map((provider) => this.#modelsOf(provider));
    return [...(await Promise.all(lists)).flat(), demoModelInfo];
  }

  providerOptions(id: string, { oneCallAtATime, strictSchema }: ProviderWishes) {
    const provider = this.#providers.find(({ name }) => name === id.slice(0, id.indexOf('/')));
    if (!provider) return undefined;
    const options = {
      ...(oneCallAtATime ? provider.oneCallAtATime : {}),
      ...(strictSchema === null ? {} : { strictJsonSchema: strictSchema }),
    };
    return Object.keys(options).length > 0 ? { [provider.name]: options } : undefined;
  }

  languageModel(id: string): LanguageModelV4 {
    if (id === 'demo') return this.#demo;
    const slash = id.indexOf('/');
    const provider = this.#providers.find(({ name }) => name === id.slice(0, slash));
    if (!provider?.settings) throw new UnknownModelError(`The provider of ${id} is no longer configured.`);
    const model = this.#made.get(id) ?? provider.model(id.slice(slash + 1));
    // Making one costs as much as some statements; names come from clients, so they are bounded.
    if (this.#made.size >= maxMade) this.#made.clear();
    this.#made.set(id, model);
    return model;
  }

  async #chooseDefault(): Promise<string> {
    const provider = this.#providers.find(({ settings }) => settings);
    if (!provider) return 'demo';
    const model = provider.defaultModel ?? (await this.#listedBy(provider))?.[0];
    return model ? `${provider.name}/${model}` : 'demo';
  }

  /** The table is about the provider's own service: a server that only speaks like it has other models. */
  #knownOf(provider: string): ModelInfo[] {
    const settings = this.#providers.find(({ name }) => name === provider)?.settings ?? null;
    return provider === 'openai' && !isOpenai(settings) ? [] : knownModels(provider);
  }

  async #modelsOf(provider: Provider): Promise<ModelInfo[]> {
    const known = this.#knownOf(provider.name).map(({ id }) => id);
    const added = [...this.#overrides.keys()].filter((id) => id.startsWith(`${provider.name}/`));
    const listed = (await this.#listedBy(provider))?.map((model) => `${provider.name}/${model}`);
    return [...new Set([...(listed ?? known), ...added])].map((id) => this.describe(id));
  }

  /** The names that the provider's own `GET /models` gives, kept for some minutes; null when it does not answer. */
  #listedBy({ name, settings }: Provider): Promise<string[] | null> {
    const kept = this.#listed.get(name);
    if (kept && kept.until > Date.now()) return kept.models;
    const models = fetchModels(settings as ProviderSettings);
    this.#listed.set(name, { until: Date.now() + listTtlMs, models });
    return models;
  }
}

const modelList = z.object({ data: z.array(z.object({ id: z.string().min(1).max(200) })).max(5000) });

async function fetchModels({ baseURL, apiKey }: ProviderSettings): Promise<string[] | null> {
  try {
    const response = await fetch(`${baseURL}/models`, {
      headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
      signal: AbortSignal.timeout(listTimeoutMs),
    });
    return response.ok ? modelList.parse(await response.json()).data.map(({ id }) => id) : null;
  } catch {
    // Not every server lists its models, and none has to: the table answers instead.
    return null;
  }
}
