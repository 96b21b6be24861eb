import SchemaBuilder, {
  BasePlugin,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
} from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import { requireKey, requireScope } from '../domain/access/access.ts';
import type { DomainContext } from '../domain/context.ts';
import { type Permission, permissionOf, permissionOfType, statementOf } from './permissions.ts';

/** The name by which the builder refers to this Pothos plugin. */
export const permissionsPlugin = 'permissions';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      permissions: PermissionsPlugin<Types>;
    }
  }
}

/** Throws ForbiddenError unless the actor has the permission. */
function check({ actor }: DomainContext, permission: Permission): void {
  if (permission === 'API_KEY') requireKey({ actor });
  else for (const scope of [permission].flat()) requireScope({ actor }, scope as never);
}

const isOpen = (permission: Permission) => permission === 'ANY_CREDENTIAL' || permission === 'PARENT';

/** Checks the permission of each field (`permissions.ts`) before the field is resolved, and adds it to the description. */
class PermissionsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const permission = config.kind === 'Object' ? permissionOfType(config.name) : undefined;
    return permission === undefined
      ? config
      : { ...config, description: withPermission(config.description, permission) };
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { permission, isOwn } = permissionOf(config.parentType, config.name);
    return isOwn ? { ...config, description: withPermission(config.description, permission) } : config;
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { permission } = permissionOf(config.parentType, config.name);
    // Subscriptions are checked once, when they are opened.
    if (isOpen(permission) || config.kind === 'Subscription') return resolve;
    return (parent, args, context, info) => {
      check(context as DomainContext, permission);
      return resolve(parent, args, context, info);
    };
  }

  override wrapSubscribe(
    subscribe: GraphQLFieldResolver<unknown, Types['Context'], object> | undefined,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> | undefined {
    const { permission } = permissionOf(config.parentType, config.name);
    if (!subscribe || isOpen(permission)) return subscribe;
    return (parent, args, context, info) => {
      check(context as DomainContext, permission);
      return subscribe(parent, args, context, info);
    };
  }
}

const withPermission = (text: string | null | undefined, permission: Permission) =>
  [text, statementOf(permission)].filter(Boolean).join(' ');

SchemaBuilder.registerPlugin(permissionsPlugin, PermissionsPlugin);
