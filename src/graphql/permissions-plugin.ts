import SchemaBuilder, {
  BasePlugin,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { requireKey, requireScope } from '../domain/access/access.ts';
import type { DomainContext } from '../domain/context.ts';
import { type Needs, needsOf, needsOfType, statementOf } from './permissions.ts';

/** The name under which the builder knows this plugin. */
export const needsPlugin = 'needs';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      needs: NeedsPlugin<Types>;
    }
  }
}

/** Throws ForbiddenError unless the actor has what a field needs. */
function check({ actor }: DomainContext, needs: Needs): void {
  if (needs === 'KEY') requireKey({ actor });
  else for (const scope of [needs].flat()) requireScope({ actor }, scope as never);
}

const isOpen = (needs: Needs) => needs === 'ANYONE' || needs === 'PARENT';

/** Says in the schema what each field needs, and asks for it before the field is resolved: from one table, `needs.ts`. */
class NeedsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const needs = config.kind === 'Object' ? needsOfType(config.name) : undefined;
    return needs === undefined ? config : { ...config, description: described(config.description, needs) };
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { needs, isOwn } = needsOf(config.parentType, config.name);
    return isOwn ? { ...config, description: described(config.description, needs) } : config;
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { needs } = needsOf(config.parentType, config.name);
    // A subscription has been asked about when it was opened.
    if (isOpen(needs) || config.kind === 'Subscription') return resolve;
    return (parent, args, context, info) => {
      check(context as DomainContext, needs);
      return resolve(parent, args, context, info);
    };
  }

  override wrapSubscribe(
    subscribe: GraphQLFieldResolver<unknown, Types['Context'], object> | undefined,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> | undefined {
    const { needs } = needsOf(config.parentType, config.name);
    if (!subscribe || isOpen(needs)) return subscribe;
    return (parent, args, context, info) => {
      check(context as DomainContext, needs);
      return subscribe(parent, args, context, info);
    };
  }
}

const described = (text: string | null | undefined, needs: Needs) =>
  [text, statementOf(needs)].filter(Boolean).join(' ');

SchemaBuilder.registerPlugin(needsPlugin, NeedsPlugin);
