import type { Readable } from 'node:stream';

/** A tool as an assistant's or a run's row keeps it. */
export type Tool =
  | FunctionTool
  | { type: 'code_interpreter'; timeoutSeconds: number }
  | { type: 'text_to_image'; model: string | null; size: string | null }
  | { type: 'plugin'; pluginId: string; operations: string[] | null }
  | { type: 'file_search'; maxResults: number }
  | { type: 'web_search'; maxResults: number };

/** A JSON Schema for an object. */
export type ObjectSchema = Record<string, unknown>;

/** A function that the client runs; the model sees its name, description and parameters. */
export interface FunctionTool {
  type: 'function';
  name: string;
  description: string | null;
  parameters: ObjectSchema;
  strict: boolean;
}

/** The tools that the server runs itself, as rows name them. */
type ServerToolKind = 'CODE_INTERPRETER' | 'TEXT_TO_IMAGE' | 'PLUGIN' | 'FILE_SEARCH' | 'WEB_SEARCH';

/** A file that a call can read. */
export interface InputFile {
  id: string;
  name: string;
  sizeBytes: number;
}

/** A passage that was found in a file. */
export interface FileSearchResult {
  fileId: string;
  fileName: string;
  passageIndex: number;
  page: number | null;
  text: string;
  /** How well it fits: 0 to 1. */
  score: number;
}

/** What a call may do beside what its tool does itself. */
export interface CallContext {
  workspaceId: string;
  threadId: string;
  callId: string;
  /** Aborts when the call is to end: the run is cancelled, or the worker stops. */
  signal: AbortSignal;
  /** Adds to the output: followers see it at once, the model when the call has ended. */
  write(text: string): void;
  /** The files that came with the thread, its messages and its assistant, and those that its runs wrote; oldest first. */
  inputFiles(): Promise<InputFile[]>;
  readFile(file: InputFile): Promise<Readable>;
  /** Stores a file that the call wrote. Throws Error with a message for the model when there is no room. */
  saveFile(name: string, mimeType: string | null, bytes: Uint8Array): Promise<InputFile>;
  /** The mark of a passage of this search, for an answer that rests on it; `rank` from 1. */
  markOf(rank: number): Promise<string>;
  /** Searches the files of the thread and of its assistant. */
  searchFiles(query: string, maxResults: number): Promise<FileSearchResult[]>;
  /** What a plug-in is to show of the user that the run is made for; null: nothing. */
  userToken(pluginId: string): string | null;
}

/** How a call ended, beside what it has written. */
export interface CallResult {
  /** Why it failed; absent: it did not. The message is for the model, and in the run for its user. */
  error?: { code: string; message: string; retryable: boolean };
  /** The HTTP status that a plug-in answered with. */
  httpStatus?: number;
  /** The passages that a search found, the best first. */
  searchResults?: FileSearchResult[];
}

/** Something that a model can call and the server does. One file each. */
export interface ServerTool {
  kind: ServerToolKind;
  /** What the model calls it by: 1 to 64 letters, digits, _ or -. */
  name: string;
  description: string;
  parameters: ObjectSchema;
  /** Whose operation it is, where it is one of a plug-in. */
  operation?: { pluginId: string; name: string };
  /** Whether a call of which nobody knows whether it was made may be made again. */
  isRepeatable: boolean;
  /** The model of a provider that it calls, as `provider/model`. */
  provider?: string | undefined;
  /** Makes the call. Throws ToolError for what the model can be told, and what its provider answered; anything else is a fault of the server. */
  call(args: Record<string, unknown>, context: CallContext): Promise<CallResult>;
}

/** A call failed for a reason that the model may know. */
export class ToolError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  constructor(code: string, message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/** A plug-in as its tools are made of it. */
export interface PluginSource {
  id: string;
  name: string;
  kind: 'OPENAPI' | 'MCP';
  /** The address of the MCP server. */
  url: string | null;
  /** Its operations, as its row keeps them. */
  operations: unknown[];
  /** How calls show who they are, opened; null: they do not. */
  auth: PluginAuth | null;
}

/** How the calls of a plug-in show who they are. */
export type PluginAuth =
  | { type: 'bearer'; token: string }
  | { type: 'api_key'; in: 'header' | 'query'; name: string; value: string }
  | { type: 'basic'; username: string; password: string }
  /** Each run brings the token of its user. */
  | { type: 'user_token'; in: 'header' | 'query'; name: string; prefix: string };

/** Makes the tools that a run can call, with what this server has. */
export interface ToolFactory {
  /** Why a tool cannot be used here, with the variable to set; null: it can. */
  unavailableReason(tool: Tool): string | null;
  /** The tools of a setting: none for a function of the client's, several for a plug-in, which is null when it is gone. */
  make(tool: Tool, plugin: PluginSource | null): ServerTool[];
}

/** What a plug-in turned out to offer. */
export interface ReadPlugin {
  /** The OpenAPI document; null: there is none. */
  document: string | null;
  /** The names of all that it offers. */
  names: string[];
  /** Those that are wanted, with what calling them takes; none if those are more than that. */
  operations: PluginOperation[];
}

/** What is wanted of what a plug-in offers. */
interface Wanted {
  /** The names of operations; empty: all. */
  selected: readonly string[];
  /** How many at most. */
  most: number;
}

/** Where an OpenAPI document is, and where its operations are called if not where it says. */
export interface OpenApiSource extends Wanted {
  document: string | null;
  url: string | null;
  serverUrl: string | null;
}

/** Where an MCP server is, and what it is shown. */
export interface McpSource extends Wanted {
  url: string;
  auth: PluginAuth | null;
}

/** An operation of a plug-in, as the graph shows it; what calling it takes stands beside that. */
export interface PluginOperation {
  name: string;
  description: string | null;
  parameters: ObjectSchema;
}

/** A plug-in cannot be set up as it is given; the message says what to change. */
export class InvalidPluginError extends Error {}

/** Reads what plug-ins offer. Throws InvalidPluginError. */
export interface PluginReader {
  readOpenApi(source: OpenApiSource, signal: AbortSignal): Promise<ReadPlugin>;
  readMcp(source: McpSource, signal: AbortSignal): Promise<ReadPlugin>;
}
