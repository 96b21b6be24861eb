import type { DomainContext } from '../domain/context.ts';
import type { TextKey } from '../domain/log/event-kinds.ts';
import { readTexts, textId } from '../domain/log/growing-text.ts';

/** Loads the current contents of growing texts, in the order of the keys, with a constant number of statements. */
export async function growingTexts(ctx: DomainContext, keys: readonly TextKey[]): Promise<string[]> {
  const texts = await readTexts(ctx.database, ctx.workspaceId, keys);
  return keys.map((key) => texts.get(textId(key)) ?? '');
}
