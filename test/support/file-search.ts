import { vi } from 'vitest';
import type { Client } from './client.ts';
import { upload } from './upload.ts';

/** The ingestion of a file, as the graph returns it. */
export interface Ingestion {
  status: string;
  progress: number;
  error: string | null;
  embeddingModel: string | null;
  embeddingError: string | null;
  embeddingTokens: number;
}

/** Reads the ingestion of a file. */
export async function ingestionOf(client: Client, id: string): Promise<Ingestion> {
  const ask = `query($id: ID!) { file(id: $id) { ingestion { status progress error embeddingModel embeddingError embeddingTokens } } }`;
  return (await client.data(ask, { id })).file.ingestion;
}

/** Uploads a file and waits for the end of its ingestion. */
export async function uploadRead(
  client: Client,
  content: string | Uint8Array,
  name: string,
): Promise<{ id: string; ingestion: Ingestion }> {
  const { id } = await upload(client, content, name);
  let ingestion = {} as Ingestion;
  const isOver = async () => {
    ingestion = await ingestionOf(client, id);
    return !/QUEUED|IN_PROGRESS/.test(ingestion.status);
  };
  await vi.waitUntil(isOver, { timeout: 40_000, interval: 50 });
  return { id, ingestion };
}

/** The selection of `searchWith`. */
export const searchSelection = `status steps { nodes { toolCalls { status ... on FileSearchToolCall { query results { text page score file { id name } } } } } }
  messages { nodes { text content { ... on TextContent { annotations { __typename text startIndex endIndex ... on FileCitation { quote score file { name } } } } } } }`;

/** Lets the demo model search files; `results` has the search results, best first. */
export async function searchWith(client: Client, query: string, fileIds: string[], input: object = {}) {
  const run = await client.ask('', {
    model: 'demo',
    tools: [{ fileSearch: { maxResults: 3 } }],
    thread: { fileIds, messages: [{ text: `search the files for ${query}` }] },
    ...input,
  });
  const finished = await client.finished(run.id, searchSelection);
  return { ...finished, results: finished.steps.nodes[0].toolCalls[0].results, id: run.id };
}
