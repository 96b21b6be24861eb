import type { LanguageModelV4 } from '@ai-sdk/provider';
import { LRUCache } from 'lru-cache';
import { DemoModel, demoModelInfo } from './demo.ts';
import { knownModels, readCatalogFile, unknownModel } from './known-models.ts';
import { ListedModels } from './listed-models.ts';
import { type ModelCatalog, type ModelInfo, type ProviderWishes, UnknownModelError } from './model-catalog.ts';
import { either, type Vendor, variablesOf } from './vendor.ts';
import { type ConfiguredProvider, type Providers, splitModel, vendors } from './vendors.ts';

/** The configured providers, and the operator's choices about their models. */
export interface RegistryOptions {
  providers: Providers;
  defaultModel: string | null;
  demoDelayMs: number;
  catalogFile: string | null;
}

const maxModels = 500;

/** The models of the configured providers and the built-in demo. */
export class ModelRegistry implements ModelCatalog {
  readonly #providers: Providers;
  readonly #overrides: ReadonlyMap<string, Partial<ModelInfo>>;
  readonly #demo: DemoModel;
  readonly #listed = new ListedModels();
  /** Making a model costs as much as some SQL statements. Clients choose the names, so the number is bounded. */
  readonly #models = new LRUCache<string, LanguageModelV4>({ max: maxModels });
  #defaultModel = 'demo';

  private constructor({ providers, demoDelayMs }: RegistryOptions, overrides: Map<string, Partial<ModelInfo>>) {
    this.#providers = providers;
    this.#overrides = overrides;
    this.#demo = new DemoModel(demoDelayMs);
  }

  /** Opens the registry. Throws ConfigError for a bad catalog file, UnknownModelError for a default that no provider serves. */
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
    const prefix = splitModel(name).vendor;
    const named = vendors.find((vendor) => vendor.name === prefix);
    // The last vendor claims every name.
    const vendor = named ?? (vendors.find((each) => each.claims(name)) as Vendor);
    if (this.#providers.has(vendor.name)) return named ? name : `${vendor.name}/${name}`;
    const served = [...[...this.#providers.keys()].map((provider) => `${provider}/…`), 'demo'];
    throw new UnknownModelError(
      `No configured provider serves the model ${JSON.stringify(name)}. Use ${either(served)}, or set ${either(variablesOf(vendor))}.`,
    );
  }

  describe(id: string): ModelInfo {
    if (id === 'demo') return demoModelInfo;
    const provider = this.#providers.get(splitModel(id).vendor);
    const base = provider && knownModels(provider).find((model) => model.id === id);
    return { ...(base ?? unknownModel(id)), ...this.#overrides.get(id) };
  }

  async list(): Promise<ModelInfo[]> {
    const lists = [...this.#providers.values()].map((provider) => this.#modelsOf(provider));
    return [...(await Promise.all(lists)).flat(), demoModelInfo];
  }

  providerOptions(id: string, { oneCallAtATime, strictSchema, topK }: ProviderWishes) {
    const provider = this.#providers.get(splitModel(id).vendor);
    if (!provider) return undefined;
    const options = {
      ...(oneCallAtATime ? provider.oneCallAtATime : {}),
      ...(strictSchema === null ? {} : { strictJsonSchema: strictSchema }),
      ...(topK === null ? {} : provider.topK?.(topK)),
    };
    return Object.keys(options).length > 0 ? { [provider.name]: options } : undefined;
  }

  languageModel(id: string): LanguageModelV4 {
    if (id === 'demo') return this.#demo;
    const cached = this.#models.get(id);
    if (cached) return cached;
    const { vendor, model: name } = splitModel(id);
    const provider = this.#providers.get(vendor);
    if (!provider) throw new UnknownModelError(`The provider of ${id} is no longer configured.`);
    const model = provider.languageModel(name);
    this.#models.set(id, model);
    return model;
  }

  async #chooseDefault(): Promise<string> {
    const [provider] = this.#providers.values();
    if (!provider) return 'demo';
    const model = provider.defaultModel ?? (await this.#listed.of(provider))?.[0];
    return model ? `${provider.name}/${model}` : 'demo';
  }

  async #modelsOf(provider: ConfiguredProvider): Promise<ModelInfo[]> {
    const listed = (await this.#listed.of(provider))?.map((model) => `${provider.name}/${model}`);
    const known = knownModels(provider).map(({ id }) => id);
    const added = [...this.#overrides.keys()].filter((id) => splitModel(id).vendor === provider.name);
    return [...new Set([...(listed ?? known), ...added])].map((id) => this.describe(id));
  }
}
