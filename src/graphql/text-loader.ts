import type { DomainContext } from '../domain/context.ts';
import type { TextKey } from '../domain/log/event-kinds.ts';
import { readTexts, textId } from '../domain/log/growing-text.ts';

/** Growing texts as they are now, for many owners with a constant number of statements. */
export async function growingTexts(ctx: DomainContext, keys: readonly TextKey[]): Promise<string[]> {
  const texts = await readTexts(ctx.database, ctx.workspaceId, keys);
  return keys.map((key) => texts.get(textId(key)) ?? '');
}
