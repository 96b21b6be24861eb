import type { DomainContext } from '../domain/context.ts';
import type { TextKey } from '../domain/log/event-kinds.ts';
import { readTexts, textId } from '../domain/log/growing-text.ts';
import type { GraphContext } from './context.ts';

/** Loads the current contents of growing texts, in the order of the keys, with a constant number of statements. */
async function growingTexts(ctx: DomainContext, keys: readonly TextKey[]): Promise<string[]> {
  const texts = await readTexts(ctx.database, ctx.workspaceId, keys);
  return keys.map((key) => texts.get(textId(key)) ?? '');
}

/**
 * The content of a growing text: at the cursor of the event that the operation shows, so that the text and the deltas after the
 * event are exact; without an event, the current content. The same key gives the same content throughout an operation.
 */
export const growingText = async (ctx: GraphContext, key: TextKey): Promise<string> =>
  ctx.textAt?.(key) ?? ctx.load(growingTexts, key);
