import type { PluginAuth } from '../plugin.ts';
import { ToolError } from '../tool.ts';

/** What a call shows of who makes it. */
export interface Shown {
  headers: Record<string, string>;
  query: Record<string, string>;
}

/** What a call of a plug-in shows. Throws ToolError when it is to show its user's token, and the run has none. */
export function shownBy(auth: PluginAuth | null, userToken: string | null): Shown {
  const shown: Shown = { headers: {}, query: {} };
  const add = (place: 'header' | 'query', name: string, value: string) => {
    if (place === 'header') shown.headers[name.toLowerCase()] = value;
    else shown.query[name] = value;
  };
  if (auth?.type === 'bearer') add('header', 'authorization', `Bearer ${auth.token}`);
  if (auth?.type === 'api_key') add(auth.in, auth.name, auth.value);
  if (auth?.type === 'basic') {
    const pair = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    add('header', 'authorization', `Basic ${pair}`);
  }
  if (auth?.type === 'user_token') {
    if (userToken === null) {
      const message = 'This plug-in acts for its user, and the run was created without a token for it (pluginTokens).';
      throw new ToolError('user_token_missing', message);
    }
    add(auth.in, auth.name, `${auth.prefix}${userToken}`);
  }
  return shown;
}

/** What of an answer or an error is not to be told on. */
export function secretsOf(auth: PluginAuth | null, userToken: string | null): string[] {
  if (auth?.type === 'bearer') return [auth.token];
  if (auth?.type === 'api_key') return [auth.value];
  if (auth?.type === 'basic') {
    return [auth.password, Buffer.from(`${auth.username}:${auth.password}`).toString('base64')];
  }
  return auth?.type === 'user_token' && userToken !== null ? [userToken] : [];
}

/** A secret as others may write it. */
function spellingsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const query = new URLSearchParams({ x: secret }).toString().slice(2);
  return [secret, encodeURIComponent(secret), query, json, json.replaceAll('/', '\\/'), btoa(secret)];
}

/** A text in which secrets are blotted out, however they are spelled: servers may repeat what they were sent. */
export const blotted = (text: string, secrets: readonly string[]): string =>
  secrets
    .flatMap(spellingsOf)
    .reduce((rest, spelling) => (spelling.length < 4 ? rest : rest.replaceAll(spelling, '[secret]')), text);
