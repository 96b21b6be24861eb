import type { ToolKind } from '../../db/generated/client.ts';
import { builder } from '../builder.ts';

const kinds: Record<ToolKind, { description: string }> = {
  FUNCTION: { description: 'A function that the client runs: FunctionToolCall.' },
  CODE_INTERPRETER: { description: 'The Python interpreter: CodeInterpreterToolCall.' },
  TEXT_TO_IMAGE: { description: 'The image generator: TextToImageToolCall.' },
  PLUGIN: { description: 'An operation of a plugin: PluginToolCall.' },
  FILE_SEARCH: { description: 'The search in files: FileSearchToolCall.' },
  WEB_SEARCH: { description: 'The web search: WebSearchToolCall.' },
};

/** The kind of the tool that a call uses. */
export const ToolCallKind = builder.enumType('ToolCallKind', {
  description: 'The kind of the tool that a call uses, and the type of the call.',
  values: kinds,
});
