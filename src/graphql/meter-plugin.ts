import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import type { GraphQLFieldResolver } from 'graphql';
import type { GraphContext } from './context.ts';

/** The name by which the builder refers to this Pothos plugin. */
export const meterPlugin = 'meter';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      meter: MeterPlugin<Types>;
    }
  }
}

/**
 * Counts the characters of each text in an answer when it is resolved, so that an answer that becomes too large stops
 * reading further texts.
 */
class MeterPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    { type }: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (type.kind !== 'Scalar' || this.buildCache.getTypeConfig(type.ref).name !== 'String') return resolve;
    return (parent, args, context, info) => {
      const value = resolve(parent, args, context, info);
      const { meter } = context as GraphContext;
      if (!meter) return value;
      const counted = (text: unknown) => {
        if (typeof text === 'string') meter.count(text.length);
        return text;
      };
      return value instanceof Promise ? value.then(counted) : counted(value);
    };
  }
}

SchemaBuilder.registerPlugin(meterPlugin, MeterPlugin);
