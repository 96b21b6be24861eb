// Limits of tools and plugins that a user can meet, for documentation and error messages. Limits that an operator sets
// are in config/, and those of one interpreter's process are in python/.

/** UTF-8 bytes of the output of one Python program; further output is cut off. */
export const maxPythonOutputBytes = 200_000;
/** Files that one Python program gives back. */
export const maxPythonFiles = 20;
/** Bytes of all files that one Python program gives back, and of one file that it can read. */
export const maxPythonFileBytes = 50_000_000;
/** Bytes of all files in one interpreter. */
export const maxInterpreterFileBytes = 268_435_456;
/** Bytes of one wheel from an index. */
export const maxWheelBytes = 300_000_000;
/** Bytes of the lock file of an index. */
export const maxLockFileBytes = 20_000_000;

/** Images that one call draws. */
export const maxImages = 4;
/** Milliseconds that drawing may take. */
export const imageMs = 180_000;

/** Milliseconds that one request to the web search may take. */
export const webSearchMs = 15_000;
/** Bytes of one answer of the web search. */
export const maxWebSearchBytes = 2_000_000;
/** Characters of the excerpt of one web search result; the rest is cut off. */
export const maxExcerptCharacters = 1000;

/** Bytes of an OpenAPI document. */
export const maxDocumentBytes = 5_000_000;
/** Values in an OpenAPI document: objects, lists and scalars. */
export const maxDocumentNodes = 200_000;
/** Levels of nesting in an OpenAPI document. */
export const maxDocumentDepth = 100;
/** Uses of aliases in a YAML document. */
export const maxYamlAliases = 100;
/** References that lead from one to the next before they count as a circle. */
export const maxReferenceSteps = 20;
/** MiB of the heap of a thread that reads a document. */
export const documentReaderHeapMb = 512;
/** Milliseconds that downloading a document, or listing the tools of an MCP server, may take. */
export const readPluginMs = 20_000;
/** Characters of the JSON Schema of one operation's parameters. */
export const maxParametersCharacters = 64_000;
/** Characters of the JSON Schemas of all selected operations of a plugin. */
export const maxPluginParametersCharacters = 1_000_000;
/** Characters of the description of an operation or a parameter; the rest is cut off. */
export const maxDescriptionCharacters = 1024;
/** Characters of the name of an operation; the rest is cut off. */
export const maxOperationNameCharacters = 64;

/** Milliseconds that a call of an OpenAPI operation may take, with its retries. */
export const openApiCallMs = 60_000;
/** Bytes of the response to a call of an OpenAPI operation. */
export const maxOpenApiResponseBytes = 2_000_000;
/** Redirects that a GET or HEAD request follows. */
export const maxRedirects = 3;

/** Milliseconds that connecting to an MCP server may take. */
export const mcpConnectMs = 15_000;
/** Milliseconds that an MCP call may take without a progress notification. */
export const mcpCallMs = 60_000;
/** Milliseconds that an MCP call may take. */
export const mcpTotalMs = 300_000;
/** Bytes of one response of an MCP server. */
export const maxMcpResponseBytes = 10_000_000;
