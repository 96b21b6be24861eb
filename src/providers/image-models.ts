import type { ImageModelV4 } from '@ai-sdk/provider';
import { DemoImageModel } from './demo-image.ts';
import { either, variablesOf } from './vendor.ts';
import { type Providers, splitModel, vendors } from './vendors.ts';

/** The image models of the configured providers, and the demo, which is used only where it is named. */
export class ImageModelRegistry {
  readonly #providers: Providers;
  /** `vendor/model` or `demo`; null: there is none. */
  readonly defaultModel: string | null;

  /** `defaultModel`: `vendor/model` or `demo`; null: that of the first configured provider that has one. */
  constructor(providers: Providers, defaultModel: string | null) {
    this.#providers = providers;
    const first = [...providers.values()].find((provider) => provider.defaultImageModel !== null);
    this.defaultModel = defaultModel ?? (first ? `${first.name}/${first.defaultImageModel}` : null);
  }

  /** Why a model cannot be called, and which variable to set; null: it can. */
  unavailableReason(name: string): string | null {
    if (name === 'demo') return null;
    const vendor = vendors.find((each) => each.name === splitModel(name).vendor);
    if (!vendor) return `Name the image model as ${either(vendors.map((each) => `${each.name}/…`))}.`;
    const provider = this.#providers.get(vendor.name);
    if (!provider) {
      return `No configured provider serves the image model ${name}: set ${either(variablesOf(vendor))}.`;
    }
    return provider.imageModel ? null : `${vendor.label} has no image models.`;
  }

  /** The model to call. Throws where `unavailableReason` has a reason. */
  imageModel(name: string): ImageModelV4 {
    if (name === 'demo') return new DemoImageModel();
    const { vendor, model } = splitModel(name);
    const made = this.#providers.get(vendor)?.imageModel?.(model);
    if (!made) throw new Error(`The image model ${name} is not available.`);
    return made;
  }
}
