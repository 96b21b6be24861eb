import { join } from 'node:path';
import type { App } from './app.ts';
import type { Config, Secrets } from './config/config.ts';

/** What the terminal says when the server is up: where it is, how to get in, which model answers, what to try. */
export function greeting(app: App, config: Config, secrets: Secrets): string {
  if (app.url === null) return 'assistant-graph worker is up.';
  const { defaultModel } = app.models;
  const isUnreached =
    defaultModel === 'demo' && (secrets.alibaba ?? secrets.openai) !== null && config.defaultModel === null;
  const model = isUnreached
    ? 'demo (the configured provider did not list a model: set DEFAULT_MODEL)'
    : defaultModel === 'demo'
      ? 'demo, built in (set DASHSCOPE_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL for a real one)'
      : defaultModel;
  const path = join(config.dataDir, 'admin-key');
  const known = app.adminKey === null ? 'the first key that was set for this database' : `in ${path}`;
  const kept = app.isNew ? `${app.adminKey}   (kept in ${path})` : known;
  const key = secrets.adminKey === null ? kept : 'the one in ADMIN_KEY';
  const isKept = secrets.adminKey === null && app.adminKey !== null;
  const curl = (query: string) =>
    `  curl -s ${app.url}/graphql -H "authorization: Bearer $KEY" -H 'content-type: application/json' -d '${JSON.stringify({ query })}'`;
  return [
    '',
    `  assistant-graph is up.`,
    '',
    `  ${config.graphiql ? 'GraphiQL' : 'Graph   '}   ${app.url}/graphql`,
    `  Key        ${key}`,
    `  Model      ${model}`,
    `  Data       ${config.databaseUrl ? 'PostgreSQL' : config.dataDir}`,
    '',
    '  Try:',
    `  KEY=${isKept ? `$(cat ${path})` : '<your key>'}`,
    curl('{ models { id } }'),
    curl(
      'mutation { createRun(input: { thread: { messages: [{ text: "Hello!" }] } }) { ... on CreateRunPayload { run { id } } } }',
    ),
    '',
  ].join('\n');
}
