import { join } from 'node:path';
import type { App } from './app.ts';
import type { Config, Secrets } from './config/config.ts';
import { allVariables } from './providers/vendors.ts';

/** The text for the terminal after the start: the address, the admin key, the default model, and requests to try. */
export function greeting(app: App, config: Config, secrets: Secrets): string {
  if (app.url === null) return 'assistant-graph worker is up.';
  const keyFile = join(config.dataDir, 'admin-key');
  const isKept = secrets.adminKey === null && app.adminKey !== null;
  const curl = (query: string) =>
    `  curl -s ${app.url}/graphql -H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`;
  return [
    '',
    '  assistant-graph is up.',
    '',
    `  ${config.graphiql ? 'GraphiQL' : 'Graph   '}   ${app.url}/graphql`,
    `  Admin key  ${adminKeyLine(app, secrets, keyFile)}`,
    `  Model      ${modelLine(app, config, secrets)}`,
    `  Data       ${secrets.databaseUrl ? 'PostgreSQL' : config.dataDir}`,
    '',
    '  Try:',
    `  KEY=${isKept ? `$(cat ${keyFile})` : '<your key>'}`,
    curl('{ models { id } }'),
    curl(
      'mutation { createRun(input: { thread: { messages: [{ text: "Hello!" }] } }) { ... on CreateRunPayload { run { id } } } }',
    ),
    '',
  ].join('\n');
}

function adminKeyLine(app: App, secrets: Secrets, keyFile: string): string {
  if (secrets.adminKey !== null) return 'the value of ADMIN_KEY';
  if (app.adminKey === null) return 'set at an earlier start, or by another process';
  return app.isNewAdminKey ? `${app.adminKey}   (kept in ${keyFile})` : `kept in ${keyFile}`;
}

function modelLine({ models }: App, config: Config, secrets: Secrets): string {
  // A provider may have chosen the name, and a control character in it would reach the terminal.
  if (models.defaultModel !== 'demo') return models.defaultModel.replace(/\p{C}/gu, '\ufffd');
  if (config.defaultModel === 'demo') return 'demo, built in';
  const isConfigured = Object.values(secrets.providers).some((provider) => provider !== null);
  return isConfigured
    ? 'demo (the configured provider lists no model: set DEFAULT_MODEL)'
    : `demo, built in (set ${allVariables()} to use a provider)`;
}
