// Limits of tools and plugins that a user can meet. Limits that an operator sets are in config/.

/** Limits of the code interpreter. */
export const pythonLimits = {
  /** UTF-8 bytes of the output of one program; further output is cut off. */
  outputBytes: 200_000,
  /** Files that one program returns. */
  files: 20,
  /** Bytes of all files that one program returns, and of one file that it can read. */
  fileBytes: 50_000_000,
  /** Bytes of all files in one interpreter. */
  interpreterFileBytes: 268_435_456,
  /** Bytes of one wheel from an index. */
  wheelBytes: 300_000_000,
  /** Bytes of the lock file of an index. */
  lockFileBytes: 20_000_000,
} as const;

/** Limits of the tool that draws images. */
export const imageLimits = {
  /** Images that one call draws. */
  perCall: 4,
  /** Milliseconds that one call can take. */
  ms: 180_000,
} as const;

/** Limits of the web search. */
export const webSearchLimits = {
  /** Milliseconds that one request can take. */
  ms: 15_000,
  /** Bytes of one response. */
  responseBytes: 2_000_000,
  /** Characters in the excerpt of one result; the rest is cut off. */
  excerpt: 1000,
} as const;

/** Limits of a plugin's OpenAPI document, and of the operations that it or an MCP server describes. */
export const documentLimits = {
  /** Bytes of a document. */
  bytes: 5_000_000,
  /** Values in a document: objects, lists and scalars. */
  values: 200_000,
  /** Levels of nesting in a document. */
  depth: 100,
  /** Uses of aliases in a YAML document. */
  yamlAliases: 100,
  /** References that lead from one to the next before they count as a circle. */
  referenceSteps: 20,
  /** MiB of the heap of a thread that reads a document. */
  readerHeapMb: 512,
  /** Milliseconds that downloading a document, or listing the tools of an MCP server, can take. */
  readMs: 20_000,
  /** Characters in the JSON Schema of the parameters of one operation. */
  parameters: 64_000,
  /** Characters in the JSON Schemas of all selected operations of a plugin. */
  allParameters: 1_000_000,
  /** Characters in the description of an operation or a parameter; the rest is cut off. */
  description: 1024,
  /** Characters in the name of an operation; the rest is cut off. */
  operationName: 64,
} as const;

/** Limits of the calls of plugins. */
export const pluginCallLimits = {
  /** Milliseconds that a call of an OpenAPI operation can take, with its retries. */
  openApiMs: 60_000,
  /** Bytes of the response to a call of an OpenAPI operation. */
  openApiResponseBytes: 2_000_000,
  /** Redirects that a GET or HEAD request follows. */
  redirects: 3,
  /** Milliseconds that connecting to an MCP server can take. */
  mcpConnectMs: 15_000,
  /** Milliseconds that an MCP call can take without a progress notification. */
  mcpSilentMs: 60_000,
  /** Milliseconds that an MCP call can take. */
  mcpMs: 300_000,
  /** Bytes of all responses of an MCP server to one call, or to one reading of its tools. */
  mcpResponseBytes: 10_000_000,
  /** Files that one MCP call returns. */
  mcpFiles: 20,
} as const;
