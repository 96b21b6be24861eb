import type { ModelInfo } from '../../providers/model-catalog.ts';
import { builder } from '../builder.ts';

const Model = builder.objectRef<ModelInfo>('Model').implement({
  description: 'A model of a configured provider, for the field `model` of assistants and runs.',
  fields: (t) => ({
    id: t.exposeString('id', { description: 'The full name: `provider/model`.' }),
    provider: t.exposeString('provider', { description: 'The provider: the first part of the full name.' }),
    contextWindow: t.exposeInt('contextWindow', {
      nullable: true,
      description: 'The number of tokens that prompt and answer together can have. Null: not known.',
    }),
    supportsTools: t.exposeBoolean('supportsTools', { description: 'Whether the model can call tools.' }),
    supportsImages: t.exposeBoolean('supportsImages', { description: 'Whether the model can read images.' }),
    supportsReasoning: t.exposeBoolean('supportsReasoning', {
      description: 'Whether the model reasons before it answers.',
    }),
    inputPricePerMillion: t.expose('inputPricePerMillion', {
      type: 'Decimal',
      nullable: true,
      description: 'The price of a million prompt tokens, in US dollars. Null: not known, so that runs have no cost.',
    }),
    outputPricePerMillion: t.expose('outputPricePerMillion', {
      type: 'Decimal',
      nullable: true,
      description:
        'The price of a million completion tokens, in US dollars. Null: not known, so that runs have no cost.',
    }),
  }),
});

builder.queryField('models', (t) =>
  t.field({
    type: [Model],
    description:
      'Lists the models of the configured providers, with their capabilities and prices. Assistants and runs can also use models that are not listed.',
    resolve: (_root, _args, ctx) => ctx.models.list(),
  }),
);
