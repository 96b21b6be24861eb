import type { PluginAuth } from '../plugin-source.ts';
import { ToolError } from '../tool.ts';

/** The part of a request that authenticates it. */
export interface RequestCredential {
  headers: Record<string, string>;
  query: Record<string, string>;
}

/**
 * The credential of a plugin's calls. Throws ToolError when the plugin needs a token of the run's user and the run has
 * none.
 */
export function credentialOf(auth: PluginAuth | null, userToken: string | null): RequestCredential {
  const credential: RequestCredential = { headers: {}, query: {} };
  const add = (location: 'header' | 'query', name: string, value: string) => {
    if (location === 'header') credential.headers[name.toLowerCase()] = value;
    else credential.query[name] = value;
  };
  if (auth?.type === 'bearer') add('header', 'authorization', `Bearer ${auth.token}`);
  if (auth?.type === 'api_key') add(auth.in, auth.name, auth.value);
  if (auth?.type === 'basic') {
    const pair = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    add('header', 'authorization', `Basic ${pair}`);
  }
  if (auth?.type === 'user_token') {
    if (userToken === null) {
      const message = 'The plugin acts for its user, but the run was created without a token for it (pluginTokens).';
      throw new ToolError('user_token_missing', message);
    }
    add(auth.in, auth.name, `${auth.prefix}${userToken}`);
  }
  return credential;
}

/** The secrets in a plugin's calls, which must not appear in outputs and errors. */
export function secretsOf(auth: PluginAuth | null, userToken: string | null): string[] {
  if (auth?.type === 'bearer') return [auth.token];
  if (auth?.type === 'api_key') return [auth.value];
  if (auth?.type === 'basic') {
    return [auth.password, Buffer.from(`${auth.username}:${auth.password}`).toString('base64')];
  }
  return auth?.type === 'user_token' && userToken !== null ? [userToken] : [];
}

/** The encodings of a secret that a server may send back. */
function encodingsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const query = new URLSearchParams({ x: secret }).toString().slice(2);
  return [secret, encodeURIComponent(secret), query, json, json.replaceAll('/', '\\/'), btoa(secret)];
}

/** Replaces secrets in a text, in each of their encodings: a server may repeat what it received. */
export const redact = (text: string, secrets: readonly string[]): string =>
  secrets
    .flatMap(encodingsOf)
    .reduce((rest, encoded) => (encoded.length < 4 ? rest : rest.replaceAll(encoded, '[secret]')), text);
