// Searches the web: node examples/tools/search-web.ts
// The server needs SEARCH_URL, the address of a SearXNG instance.
import { run } from './graph.ts';

await run('search the web for GraphQL subscriptions', [{ webSearch: { maxResults: 3 } }]);
