import type { CallContext } from './call-context.ts';
import type { FileSearchResult } from './search-result.ts';

/** The setting of a tool, as the row of an assistant or a run stores it. */
export type Tool =
  | FunctionTool
  | { type: 'code_interpreter'; timeoutSeconds: number }
  | { type: 'text_to_image'; model: string | null; size: string | null }
  | { type: 'plugin'; pluginId: string; operations: string[] | null }
  | { type: 'file_search'; maxResults: number }
  | { type: 'web_search'; maxResults: number };

/** A JSON Schema for an object. */
export type ObjectSchema = Record<string, unknown>;

/** A function that the client runs. The model receives its name, description and parameters. */
export interface FunctionTool {
  type: 'function';
  name: string;
  description: string | null;
  parameters: ObjectSchema;
  strict: boolean;
}

/** The kinds of tools that the server runs, as rows name them. */
type ServerToolKind = 'CODE_INTERPRETER' | 'TEXT_TO_IMAGE' | 'PLUGIN' | 'FILE_SEARCH' | 'WEB_SEARCH';

/** A tool that the server runs. One file each. */
export interface ServerTool {
  kind: ServerToolKind;
  /** The name under which the model calls it: 1 to 64 letters, digits, _ or -. */
  name: string;
  description: string;
  parameters: ObjectSchema;
  /** The plugin operation that the tool stands for; absent: the tool is not part of a plugin. */
  operation?: { pluginId: string; name: string };
  /** Whether a call whose outcome is unknown may be made again. */
  isRepeatable: boolean;
  /** The provider model that the tool calls, as `provider/model`. */
  provider?: string | undefined;
  /**
   * Makes the call. Throws ToolError with a message for the model, or the error of the provider; any other error counts as a
   * fault of the server.
   */
  call(args: Record<string, unknown>, context: CallContext): Promise<CallResult>;
}

/** How a call ended, besides its output. */
export interface CallResult {
  /** Why the call failed; absent: it succeeded. The model and the clients of the run read the message. */
  error?: { code: string; message: string; retryable: boolean };
  /** The HTTP status of a plugin's response. */
  httpStatus?: number;
  /** What a file search found, the best results first. */
  searchResults?: FileSearchResult[];
}

/** A call failed for a reason that the model may read. */
export class ToolError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  constructor(code: string, message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}
