// The web: start the server with SEARCH_URL, the address of a SearXNG, then node examples/tools/search-web.ts
import { run } from './graph.ts';

await run('search the web for GraphQL subscriptions', [{ webSearch: { maxResults: 3 } }]);
