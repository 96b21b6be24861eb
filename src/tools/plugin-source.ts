import type { ObjectSchema } from './tool.ts';

/** A plugin, as far as its tools need it. */
export interface PluginSource {
  id: string;
  name: string;
  kind: 'OPENAPI' | 'MCP';
  /** The address of the MCP server; null for an OpenAPI plugin. */
  url: string | null;
  /** The operations, as the row stores them. */
  operations: unknown[];
  /** How calls authenticate, decrypted; null: they do not. */
  auth: PluginAuth | null;
}

/** How the calls of a plugin authenticate. */
export type PluginAuth =
  | { type: 'bearer'; token: string }
  | { type: 'api_key'; in: 'header' | 'query'; name: string; value: string }
  | { type: 'basic'; username: string; password: string }
  /** Each run brings the token of its user. */
  | { type: 'user_token'; in: 'header' | 'query'; name: string; prefix: string };

/** An operation of a plugin as the graph shows it. Its row also holds what a call needs. */
export interface PluginOperation {
  name: string;
  description: string | null;
  parameters: ObjectSchema;
}

/** What a plugin offers, as read from its document or server. */
export interface ReadPlugin {
  /** The OpenAPI document; null for an MCP server. */
  document: string | null;
  /** The names of all operations. */
  names: string[];
  /** The selected operations; empty if they are more than the limit. */
  operations: PluginOperation[];
}

/** Which operations to read. */
interface Selection {
  /** The names of operations; empty: all. */
  selected: readonly string[];
  /** The limit on the number of selected operations. */
  most: number;
}

/** An OpenAPI document, given as a text or an address; `serverUrl` overrides the server that the document names. */
export interface OpenApiSource extends Selection {
  /** The workspace for which it is read: a workspace reads one document at a time. */
  workspaceId: string;
  document: string | null;
  url: string | null;
  serverUrl: string | null;
}

/** An MCP server: its address, and how to authenticate there. */
export interface McpSource extends Selection {
  url: string;
  auth: PluginAuth | null;
}

/** A plugin cannot be set up with the input given; the message says what to change. */
export class InvalidPluginError extends Error {}

/** Reads what plugins offer. Throws InvalidPluginError. */
export interface PluginReader {
  readOpenApi(source: OpenApiSource, signal: AbortSignal): Promise<ReadPlugin>;
  readMcp(source: McpSource, signal: AbortSignal): Promise<ReadPlugin>;
}
