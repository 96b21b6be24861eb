import type { UserRights } from '../../domain/access/actor.ts';
import { builder } from '../builder.ts';
import { RunOverrideEnum } from './run-override.ts';

const described = {
  assistantIds:
    'The assistants that end users may use and see. Null: all of the workspace; an empty list: none. A session token can name its own.',
  models: 'The models that end users may choose where `overrides` has MODEL. Null: every model.',
  overrides: 'What end users may choose for their runs. A session token can name its own.',
};

/** What end users of a workspace may use and choose. */
export const EndUserSettings = builder.objectRef<UserRights>('EndUserSettings').implement({
  description:
    'What end users of a workspace may use and choose. It applies to tokens of an identity provider, and to session tokens as far as these do not say otherwise.',
  fields: (t) => ({
    assistantIds: t.idList({
      nullable: true,
      description: described.assistantIds,
      resolve: ({ assistantIds }) => assistantIds && [...assistantIds],
    }),
    models: t.stringList({
      nullable: true,
      description: described.models,
      resolve: ({ models }) => models && [...models],
    }),
    overrides: t.field({
      type: [RunOverrideEnum],
      description: `${described.overrides} Default: nothing.`,
      resolve: ({ overrides }) => [...overrides],
    }),
  }),
});

/** The same in an input. */
export const EndUserSettingsInput = builder.inputType('EndUserSettingsInput', {
  description:
    'The settings of end users to update. An absent setting keeps its value. Null opens all assistants or models, and keeps `overrides`. A change applies at once; streams of end users who lose something end with RIGHTS_CHANGED.',
  fields: (t) => ({
    assistantIds: t.idList({ description: `${described.assistantIds} At most 100.` }),
    models: t.stringList({ description: `${described.models} At most 100.` }),
    overrides: t.field({ type: [RunOverrideEnum], description: described.overrides }),
  }),
});
