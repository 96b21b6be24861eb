import { alibaba } from './alibaba.ts';
import { openai } from './openai.ts';
import {
  either,
  type FetchAnywhere,
  type Provider,
  type ProviderSettings,
  type Vendor,
  variablesOf,
} from './vendor.ts';

/**
 * The vendors of models, in the order in which a default model is looked for and a model without a vendor in its name is
 * claimed. The last one claims all models.
 */
export const vendors: readonly Vendor[] = [alibaba, openai];

/** A provider with the name of its vendor and its settings. */
export type ConfiguredProvider = Provider & { readonly name: string; readonly settings: ProviderSettings };

/** The configured providers by the name of their vendor, in the order of `vendors`. */
export type Providers = ReadonlyMap<string, ConfiguredProvider>;

/**
 * Opens the configured providers. `settings`: by the name of the vendor; null: the vendor is not configured.
 * `fetchAnywhere`: for URLs that providers name.
 */
export function openProviders(
  settings: Readonly<Record<string, ProviderSettings | null>>,
  fetchAnywhere: FetchAnywhere,
): Providers {
  const providers = new Map<string, ConfiguredProvider>();
  for (const { name, open } of vendors) {
    const own = settings[name];
    if (own) providers.set(name, { ...open(own, fetchAnywhere), name, settings: own });
  }
  return providers;
}

/** The variables of all vendors, for example `DASHSCOPE_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL`. */
export const allVariables = () => either(vendors.flatMap(variablesOf));

/** Splits `vendor/model` at the first slash. The vendor is empty where there is no slash. */
export function splitModel(id: string): { vendor: string; model: string } {
  const slash = id.indexOf('/');
  return { vendor: id.slice(0, Math.max(slash, 0)), model: id.slice(slash + 1) };
}
