import type { ServerTool } from './tool.ts';

/** Search in the files of the assistant and of the conversation. */
export function fileSearch(maxResults: number): ServerTool {
  return {
    kind: 'FILE_SEARCH',
    name: 'file_search',
    description:
      'Searches the files of this conversation and answers the passages that fit best, each with its mark. Put the mark, such as 【1:2】, behind every statement that rests on a passage.',
    parameters: {
      type: 'object',
      properties: { query: { type: 'string', description: 'What to look for: words, or a question.' } },
      required: ['query'],
      additionalProperties: false,
    },
    isRepeatable: true,
    call: async ({ query }, { searchFiles, markOf, write }) => {
      const results = await searchFiles(String(query), maxResults);
      const told: string[] = [];
      for (const [index, { fileName, page, text }] of results.entries()) {
        const place = page === null ? fileName : `${fileName}, page ${page}`;
        told.push(`${await markOf(index + 1)} ${place}\n${text}`);
      }
      write(told.join('\n\n') || 'Nothing was found.');
      return { searchResults: results };
    },
  };
}
