import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { absentOr } from '../input.ts';

/** The tokens of an input. */
export const pluginTokens = absentOr(
  z
    .array(z.object({ pluginId: z.string(), token: z.string().min(1).max(8192) }))
    .max(128, 'At most 128 tokens, please'),
);

const purpose = 'user tokens';

/** Seals what the calls of plug-ins are to show of the user that a run is made for; null: nothing. */
export function sealUserTokens(
  { vault }: DomainContext,
  tokens: ReadonlyArray<{ pluginId: string; token: string }> | undefined,
): string | null {
  if (!tokens?.length) return null;
  return vault.seal(purpose, JSON.stringify(tokens.map(({ pluginId, token }) => [pluginId, token])));
}

/** What the calls of a plug-in are to show of the run's user; null: nothing. */
export function userTokenOf(
  { vault }: DomainContext,
  { sealedUserTokens }: Pick<Run, 'sealedUserTokens'>,
  pluginId: string,
): string | null {
  if (sealedUserTokens === null) return null;
  return new Map(JSON.parse(vault.open(purpose, sealedUserTokens)) as Array<[string, string]>).get(pluginId) ?? null;
}
