import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { type GraphQLSchema, isObjectType } from 'graphql';
import type { LongValues } from './contents.ts';
import type { GraphContext } from './context.ts';
import { mayReadWithRows } from './planned-rows.ts';

/** The name by which the builder refers to this Pothos plugin. */
export const columnsPlugin = 'columns';

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      columns: ColumnsPlugin<Types>;
    }
  }
}

type Selection = Readonly<Record<string, unknown>>;

/**
 * Resolves a field that shows a column which every selection of its type contains from the row at hand. The Prisma plugin
 * would read the row of a mutation or an event again, and show a later state than the mutation returned. Reads the long values
 * of few rows together with the rows.
 */
class ColumnsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (config.kind !== 'PrismaObject') return config;
    const ofType = this.buildCache.getTypeConfig(config.parentType).extensions?.pothosPrismaSelect as Selection;
    const ofField = config.extensions?.pothosPrismaSelect;
    if (!ofType || !ofField || typeof ofField === 'function') return config;
    const isAtHand = Object.entries(ofField).every(([column, value]) => value === true && ofType[column] === true);
    return isAtHand ? { ...config, extensions: { ...config.extensions, pothosPrismaSelect: undefined } } : config;
  }

  // Only the plans of the Prisma plugin get to know these columns: its resolver would read the row again.
  override afterBuild(schema: GraphQLSchema): GraphQLSchema {
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        const { longValues } = field.extensions as LongValues;
        if (longValues) field.extensions = { ...field.extensions, pothosPrismaSelect: selectionOf(longValues) };
      }
    }
    return schema;
  }
}

function selectionOf(columns: readonly string[]) {
  const select = Object.fromEntries(columns.map((column) => [column, true]));
  return (_args: unknown, ctx: GraphContext) => (mayReadWithRows(ctx) ? { select } : null);
}

SchemaBuilder.registerPlugin(columnsPlugin, ColumnsPlugin);
