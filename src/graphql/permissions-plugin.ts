import SchemaBuilder, {
  BasePlugin,
  type PothosInputFieldConfig,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { GraphContext } from './context.ts';
import { requireField } from './field-access.ts';
import {
  inputOverrideOf,
  inputStatementOf,
  permissionOf,
  permissionOfType,
  statementOf,
  userRuleOf,
  userRuleOfType,
  userStatementOf,
} from './permissions.ts';
import { requireSelection } from './selected-permissions.ts';

/** The name by which the builder refers to this Pothos plugin. */
export const permissionsPlugin = 'permissions';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      permissions: PermissionsPlugin<Types>;
    }
  }
}

/**
 * Checks the permission of each field (`permissions.ts`) before the field is resolved, and adds it to the description. A
 * mutation checks the whole selection of its result before it changes anything.
 */
class PermissionsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const permission = config.kind === 'Object' ? permissionOfType(config.name) : undefined;
    if (permission === undefined) return config;
    const rule = userRuleOfType(config.name);
    return described(config, rule && userStatementOf(rule), statementOf(permission));
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { permission, isOwn } = permissionOf(config.parentType, config.name);
    const rule = userRuleOf(config.parentType, config.name);
    return described(config, rule?.isOwn && userStatementOf(rule.rule), isOwn && statementOf(permission));
  }

  override onInputFieldConfig(config: PothosInputFieldConfig<Types>): PothosInputFieldConfig<Types> {
    const override = config.kind === 'Arg' ? undefined : inputOverrideOf(config.parentType, config.name);
    return described(config, override && inputStatementOf(override));
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { parentType, name, kind } = config;
    // Subscriptions are checked once, when they are opened.
    if (kind === 'Subscription' || !(isRestricted(parentType, name) || kind === 'Mutation')) return resolve;
    return (parent, args, context, info) => {
      requireField(context as GraphContext, parentType, name);
      if (kind === 'Mutation') requireSelection(info, context as GraphContext);
      return resolve(parent, args, context, info);
    };
  }

  override wrapSubscribe(
    subscribe: GraphQLFieldResolver<unknown, Types['Context'], object> | undefined,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> | undefined {
    const { parentType, name } = config;
    if (!subscribe || !isRestricted(parentType, name)) return subscribe;
    return (parent, args, context, info) => {
      requireField(context as GraphContext, parentType, name);
      return subscribe(parent, args, context, info);
    };
  }
}

/** Whether a field requires anything beyond what the field that returned its object required. */
function isRestricted(type: string, field: string): boolean {
  const { permission } = permissionOf(type, field);
  return (permission !== 'ANY_CREDENTIAL' && permission !== 'PARENT') || userRuleOf(type, field) !== null;
}

/** Adds sentences to a description. */
function described<Config extends { description?: string | null }>(
  config: Config,
  ...sentences: Array<string | false | undefined>
): Config {
  const added = sentences.filter(Boolean);
  return added.length === 0
    ? config
    : { ...config, description: [config.description, ...added].filter(Boolean).join(' ') };
}

SchemaBuilder.registerPlugin(permissionsPlugin, PermissionsPlugin);
