import type { ServerTool } from './tool.ts';

/** The tool that searches the files of the assistant and of the thread. */
export function fileSearch(maxResults: number): ServerTool {
  return {
    kind: 'FILE_SEARCH',
    name: 'file_search',
    description:
      'Searches the files of this conversation. Returns the passages that match best, each with its mark. After every statement that is based on a passage, put its mark, such as 【1:2】.',
    parameters: {
      type: 'object',
      properties: { query: { type: 'string', description: 'Keywords or a question.' } },
      required: ['query'],
      additionalProperties: false,
    },
    isRepeatable: true,
    call: async ({ query }, { searchFiles, markOf, write }) => {
      const results = await searchFiles(String(query), maxResults);
      const passages: string[] = [];
      for (const [index, { fileName, page, text }] of results.entries()) {
        const source = page === null ? fileName : `${fileName}, page ${page}`;
        passages.push(`${await markOf(index + 1)} ${source}\n${text}`);
      }
      write(passages.join('\n\n') || 'Nothing was found.');
      return { searchResults: results };
    },
  };
}
