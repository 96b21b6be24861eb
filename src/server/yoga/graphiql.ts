import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import type { GraphiQLOptions } from 'graphql-yoga';
import { clientScript } from './graphiql-client.ts';
import { presets } from './graphiql-presets.ts';

/** The icon of the server's pages. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M8 3 3 12h10z" fill="none" stroke="#d60590" stroke-width="1.5"/><g fill="#d60590"><circle cx="8" cy="3" r="2.5"/><circle cx="3" cy="12" r="2.5"/><circle cx="13" cy="12" r="2.5"/></g></svg>`;

/** The field of the key lies over the row of the tabs, and is no part of it: React owns the row. */
const style = `<style>
.graphiql-container .graphiql-tab { transform: none !important; }
.graphiql-container .graphiql-logo { margin-right: 336px; white-space: nowrap; }
#api-key { color-scheme: light dark; position: fixed; z-index: 1; top: 23px; right: 24px; }
.graphiql-light #api-key { color-scheme: light; }
.graphiql-dark #api-key { color-scheme: dark; }
#api-key, #api-key input { font: 14px Roboto, sans-serif; color: light-dark(#3b4b68, #b7c2d7); }
#api-key input { box-sizing: border-box; width: 256px; height: 30px; margin-left: 8px; padding: 0 8px;
  border: 1px solid light-dark(#8793a9, #6c7a92); border-radius: 4px; background: light-dark(#fff, #212a3b); }
#api-key input:focus { outline: 2px solid #d60590; }
#api-key p { box-sizing: border-box; width: 256px; margin: 6px 0 0 auto; padding: 10px; border-radius: 4px;
  background: #b00478; color: #fff; line-height: 1.4; }
body:has(#api-key p:not([hidden])) .graphiql-container .graphiql-response { padding-top: 100px; }
@media (max-width: 900px) { .graphiql-container .graphiql-logo > * { display: none; } }
</style>`;

const keyField = `<div id="api-key">
<label>API key<input type="password" autocomplete="off" spellcheck="false" placeholder="ag_… (kept for this browser tab)"></label>
<p role="alert" hidden>Paste the API key here, then run the operation again. The server printed the key when it started.</p>
</div>`;

/** The options of the GraphiQL page. */
export const graphiql: GraphiQLOptions = {
  title: 'assistant-graph',
  favicon: `data:image/svg+xml,${encodeURIComponent(icon)}`,
  defaultEditorToolsVisibility: 'variables',
  // Headers can contain a key, which must not stay in the local storage.
  shouldPersistHeaders: false,
  subscriptionsProtocol: 'WS',
};

/** `text` with `found`, which occurs in it, replaced once. */
function replaceOnce(text: string, found: string, replacement: string): string {
  if (!text.includes(found)) throw new Error(`The page of GraphiQL does not contain ${found}`);
  return text.replace(found, () => replacement);
}

/** Renders the GraphiQL page of the library, with the field of the key, and opens it with `openGraphiQL`. */
export function renderPage(options: GraphiQLOptions): string {
  const page = renderGraphiQL(options);
  const withStyle = replaceOnce(page, '</head>', `${style}</head>`);
  const withField = replaceOnce(withStyle, '<div id="root">', `${keyField}<div id="root">`);
  const call = 'YogaGraphiQL.renderYogaGraphiQL';
  const opened = `${clientScript}\nopenGraphiQL(${JSON.stringify(presets)}, ${call},`;
  return replaceOnce(withField, `${call}(`, opened);
}
