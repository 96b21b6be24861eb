import type { ModelInfo } from '../../providers/model-catalog.ts';
import { builder } from '../builder.ts';

const Model = builder.objectRef<ModelInfo>('Model').implement({
  description: 'A model that assistants and runs can name.',
  fields: (t) => ({
    id: t.exposeString('id', { description: 'Its full name: `provider/model`.' }),
    provider: t.exposeString('provider', { description: 'Who runs it.' }),
    contextWindow: t.exposeInt('contextWindow', {
      nullable: true,
      description: 'How many tokens it takes in; null: not known.',
    }),
    supportsTools: t.exposeBoolean('supportsTools', { description: 'Whether it calls tools.' }),
    supportsImages: t.exposeBoolean('supportsImages', { description: 'Whether it sees images.' }),
    supportsReasoning: t.exposeBoolean('supportsReasoning', { description: 'Whether it reasons before it answers.' }),
    inputPricePerMillion: t.expose('inputPricePerMillion', {
      type: 'Decimal',
      nullable: true,
      description: 'US dollars for a million prompt tokens; null: not known, and runs have no cost.',
    }),
    outputPricePerMillion: t.expose('outputPricePerMillion', {
      type: 'Decimal',
      nullable: true,
      description: 'US dollars for a million completion tokens; null: not known.',
    }),
  }),
});

builder.queryField('models', (t) =>
  t.field({
    type: [Model],
    description: 'What `model` may name, with what each can do. A model that is not listed may still be named.',
    resolve: (_root, _args, ctx) => ctx.models.list(),
  }),
);
