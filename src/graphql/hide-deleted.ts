import type { DomainContext } from '../domain/context.ts';
import { deletedRows, type ThreadTable } from '../domain/history/deleted-rows.ts';
import { builder } from './builder.ts';
import type { GraphContext } from './context.ts';

/** How the Relay plugin loads a node by its ID. */
type Load = (id: string, ctx: GraphContext, info: unknown) => unknown;

type Node = Parameters<typeof builder.configStore.onTypeConfig>[0];

/**
 * Makes `node` and `nodes` return null for a row of a deleted thread. One statement looks up all IDs of a request. End
 * users need none: their condition on the owner covers it.
 */
export function hideDeleted(node: Node, table: ThreadTable): void {
  const deleted = async (ctx: DomainContext, ids: readonly string[]) => {
    const found = await deletedRows(ctx, table, ids);
    return ids.map((id) => found.has(id));
  };
  builder.configStore.onTypeConfig(node, (config) => {
    const options = config.pothosOptions as { loadWithoutCache?: Load };
    const load = options.loadWithoutCache as Load;
    options.loadWithoutCache = async (id, ctx, info) => {
      const isHidden = ctx.actor.kind !== 'USER' && (await ctx.load(deleted, id));
      return isHidden ? null : load(id, ctx, info);
    };
  });
}
