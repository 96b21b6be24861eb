import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { absentOr, listUpTo, textUpTo } from '../input.ts';
import { pluginLimits } from '../limits.ts';

const pluginToken = z.object({
  pluginId: z.string(),
  token: textUpTo(pluginLimits.userToken).min(1, 'Must not be empty'),
});
/** The user tokens in an input. */
export const pluginTokens = absentOr(listUpTo(pluginToken, pluginLimits.userTokens, 'tokens'));

const purpose = 'user tokens';

/** Encrypts the user tokens that a run sends to plugins; null: it has none. */
export function sealUserTokens(
  { vault }: DomainContext,
  tokens: ReadonlyArray<{ pluginId: string; token: string }> | undefined,
): string | null {
  if (!tokens?.length) return null;
  return vault.seal(purpose, JSON.stringify(tokens.map(({ pluginId, token }) => [pluginId, token])));
}

/** The user token that the calls of a plugin send; null: the run has none for it. */
export function userTokenOf(
  { vault }: DomainContext,
  { sealedUserTokens }: Pick<Run, 'sealedUserTokens'>,
  pluginId: string,
): string | null {
  if (sealedUserTokens === null) return null;
  return new Map(JSON.parse(vault.open(purpose, sealedUserTokens)) as Array<[string, string]>).get(pluginId) ?? null;
}
