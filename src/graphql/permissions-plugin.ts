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

/** The name under which the builder knows this plugin. */
export const permissionsPlugin = 'permissions';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      permissions: PermissionsPlugin<Types>;
    }
  }
}

/** Throws ForbiddenError unless the actor has the permission that a field needs. */
function check({ actor }: DomainContext, permission: Permission): void {
  if (permission === 'KEY') requireKey({ actor });
  else for (const scope of [permission].flat()) requireScope({ actor }, scope as never);
}

const isOpen = (permission: Permission) => permission === 'ANYONE' || permission === 'PARENT';

/** Adds the permission of each field to its description, and checks it before the field is resolved. The table is `permissions.ts`. */
class PermissionsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const permission = config.kind === 'Object' ? permissionOfType(config.name) : undefined;
    return permission === undefined ? config : { ...config, description: described(config.description, permission) };
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { permission, isOwn } = permissionOf(config.parentType, config.name);
    return isOwn ? { ...config, description: described(config.description, permission) } : config;
  }

  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    config: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    const { permission } = permissionOf(config.parentType, config.name);
    // A subscription has been asked about when it was opened.
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

const described = (text: string | null | undefined, permission: Permission) =>
  [text, statementOf(permission)].filter(Boolean).join(' ');

SchemaBuilder.registerPlugin(permissionsPlugin, PermissionsPlugin);
