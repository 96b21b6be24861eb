import { createOpenAI } from '@ai-sdk/openai';
import type { ImageModelV4 } from '@ai-sdk/provider';
import type { ProviderSettings } from '../config/config.ts';
import { DashScopeImageModel } from './dashscope-image.ts';
import { DemoImageModel } from './demo-image.ts';
import { compatibleProvider, isOpenai } from './openai.ts';

interface Provider {
  settings: ProviderSettings | null;
  /** What to set to have it. */
  help: string;
  /** Used where nothing names one; null: not every such server draws. */
  defaultModel: string | null;
  model: (settings: ProviderSettings, name: string) => ImageModelV4;
}

/** The image models of the configured providers, and the built-in demo where it is asked for by name. */
export class ImageModelRegistry {
  readonly #providers: Record<string, Provider>;
  readonly defaultModel: string | null;

  /** `defaultModel`: `provider/model` or `demo`; null: the first configured provider's own, if it has one. */
  constructor(options: {
    alibaba: ProviderSettings | null;
    openai: ProviderSettings | null;
    defaultModel: string | null;
  }) {
    this.#providers = {
      alibaba: {
        settings: options.alibaba,
        help: 'DASHSCOPE_API_KEY',
        defaultModel: 'alibaba/qwen-image',
        model: (settings, name) => new DashScopeImageModel(settings, name),
      },
      openai: {
        settings: options.openai,
        help: 'OPENAI_API_KEY or OPENAI_BASE_URL',
        defaultModel: isOpenai(options.openai) ? 'openai/gpt-image-1-mini' : null,
        model: (settings, name) =>
          isOpenai(settings) ? createOpenAI(settings).image(name) : compatibleProvider(settings).imageModel(name),
      },
    };
    const configured = Object.values(this.#providers).filter(({ settings }) => settings);
    this.defaultModel = options.defaultModel ?? configured.find((one) => one.defaultModel)?.defaultModel ?? null;
  }

  /** Why nobody answers to a name, with what to set; null: somebody does. */
  unavailableReason(name: string): string | null {
    if (name === 'demo') return null;
    const provider = this.#providers[name.slice(0, name.indexOf('/'))];
    if (!provider) return `Name the image model as provider/model: ${Object.keys(this.#providers).join('/… or ')}/….`;
    return provider.settings ? null : `No provider answers to the image model ${name}: set ${provider.help}.`;
  }

  /** The model to call, for a name that is not refused. */
  imageModel(name: string): ImageModelV4 {
    if (name === 'demo') return new DemoImageModel();
    const slash = name.indexOf('/');
    const { settings, model } = this.#providers[name.slice(0, slash)] as Provider;
    return model(settings as ProviderSettings, name.slice(slash + 1));
  }
}
