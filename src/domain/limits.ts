// Limits of the domain that a user can meet. Limits that an operator sets are in config/, those of operations in
// graphql/limits.ts. Characters are UTF-16 code units.

/** Limits of values that several nouns have. */
export const inputLimits = {
  /** Levels that a JSON value in an input can nest. */
  jsonDepth: 64,
  /** Key-value pairs in `metadata`. */
  metadataPairs: 16,
  /** Characters in a key of `metadata`. */
  metadataKey: 64,
  /** Characters in a value of `metadata`. */
  metadataValue: 512,
  /** Characters in the text of a search filter. */
  search: 1000,
  /** Characters in the name of a model. */
  model: 200,
} as const;

/** Limits of API keys. */
export const keyLimits = {
  /** Characters in the name of a key. */
  name: 256,
  /** Entries in the list of scopes. */
  scopes: 100,
  /** Workspaces that a key can enter by ID, besides its own; `allWorkspaces` has no limit. */
  workspaces: 100,
  /** Seconds that the old secret stays valid after a rotation: 30 days. */
  graceSeconds: 2_592_000,
  /** Keys of a workspace, revoked ones included. */
  perWorkspace: 10_000,
  /** Secrets of a key that are valid at the same time, and those that expired within a day. */
  secrets: 10,
} as const;

/** Limits of session tokens. */
export const tokenLimits = {
  /** Characters in the ID of an end user. */
  userId: 256,
  /** Seconds that a session token is valid, and that a replaced signing key verifies: 1 day. */
  ttlSeconds: 86_400,
  /** Assistants that a session token names. A request carries them in a header. */
  assistants: 100,
  /** Overrides that a session token or the settings of end users name. */
  overrides: 20,
} as const;

/** Limits of workspaces and their settings. */
export const workspaceLimits = {
  /** Characters in the name of a workspace. */
  name: 256,
  /** Workspaces of a server. */
  perServer: 100_000,
  /** Days that inactive threads can be kept: about 100 years. */
  threadTtlDays: 36_500,
  /** Runs that can be set to execute at the same time in a workspace. */
  concurrentRuns: 100_000,
  /** The fewest seconds that a run waits for tool outputs. */
  minRunExpirySeconds: 10,
  /** Seconds that a run can wait for tool outputs: 30 days. */
  runExpirySeconds: 2_592_000,
  /** Seconds that a run can take from its start: 30 days. */
  runSeconds: 2_592_000,
  /** Assistants that the settings of end users name. */
  userAssistants: 100,
  /** Models that the settings of end users name. */
  userModels: 100,
} as const;

/** Limits of assistants. */
export const assistantLimits = {
  /** Characters in the name of an assistant. */
  name: 256,
  /** Characters in the description of an assistant. */
  description: 512,
  /** Assistants of a workspace. */
  perWorkspace: 10_000,
} as const;

/** Limits of threads. */
export const threadLimits = {
  /** Unread answers of a thread that are counted. */
  unread: 100,
  /** Characters in the title of a thread. */
  title: 256,
  /** Characters in the owner of a thread. */
  owner: 256,
  /** Threads of an end user in a workspace. */
  perUser: 10_000,
  /** Messages that a thread can ever have; deleted ones count. */
  messages: 1_000_000,
} as const;

/** Limits of messages. */
export const messageLimits = {
  /** Messages in one input. */
  perInput: 100,
  /** Characters in all text parts of one message. */
  text: 256_000,
  /** Characters in the query of a search. */
  search: 200,
  /** Words of a query that are searched for. */
  searchWords: 8,
  /** Characters in the comment of a feedback. */
  feedback: 2000,
  /** Characters in a `clientId`. */
  clientId: 200,
  /** Parts of the content of one message. */
  parts: 100,
  /** Characters in the URL of an image, `data:` URLs included. */
  imageUrl: 4_000_000,
  /** Files attached to one message. */
  files: 100,
} as const;

/** Limits of reading texts from their deltas. The settings of answers keep what a run writes below them. */
export const textLimits = {
  /** Characters that are read of one growing text; the rest is cut off. */
  text: 16_000_000,
  /** Bytes of the deltas that one read returns. */
  textsTogether: 64_000_000,
} as const;

/** Limits of runs. */
export const runLimits = {
  /** Characters in `instructions`, and in `additionalInstructions`. */
  instructions: 256_000,
  /** The highest sampling temperature. */
  temperature: 2,
  /** The highest nucleus sampling probability. */
  topP: 1,
  /** The highest number of most probable tokens that sampling considers. */
  topK: 100_000,
  /** Stop sequences. */
  stops: 16,
  /** Characters in a stop sequence. */
  stop: 500,
  /** Characters in the options for a provider, as JSON. */
  providerOptions: 16_000,
  /** Characters in the name of a response format. */
  formatName: 64,
  /** Characters in the description of a response format. */
  formatDescription: 1024,
  /** Steps that a run can be allowed. */
  steps: 1000,
  /** Runs of a thread that have not ended: the active one and those that wait for it. */
  unfinishedPerThread: 100,
  /** Steps of a run that names no `maxSteps`. */
  defaultSteps: 20,
  /** Characters in the error code of a filter. */
  errorCode: 100,
  /** Characters in an idempotency key. */
  idempotencyKey: 200,
  /** Hours that an idempotency key returns its first run. */
  idempotencyHours: 24,
  /** Seconds that `waitForRun` can wait. */
  waitSeconds: 600,
  /** Seconds that `waitForRun` waits by default. */
  defaultWaitSeconds: 60,
  /**
   * Bytes of messages that a run reads from its thread; older messages are omitted. System messages have the same limit
   * of their own.
   */
  conversationBytes: 32_000_000,
  /** Bytes of the calls and outputs of its earlier steps that a run reads; older steps are omitted. */
  stepBytes: 32_000_000,
  /** Workers that can be lost while they execute a run; then the run fails. */
  lostWorkers: 2,
} as const;

/** Limits of tools and of their calls. */
export const toolLimits = {
  /** Tools of one assistant or run. */
  perRun: 128,
  /** Characters in the name of a function. */
  functionName: 64,
  /** Characters in the description of a function. */
  functionDescription: 1024,
  /** Characters in a JSON Schema: the parameters of a function, or a response format. */
  schema: 64_000,
  /** Seconds that one call of the code interpreter can take. */
  codeSeconds: 300,
  /** Seconds that one call of the code interpreter can take by default. */
  defaultCodeSeconds: 30,
  /** Results of one file search or web search. */
  searchResults: 50,
  /** Tool outputs in one submission. */
  outputs: 1000,
  /** Characters in one tool output. */
  output: 1_000_000,
} as const;

/** Limits of plugins. */
export const pluginLimits = {
  /** Plugins in one workspace. */
  perWorkspace: 1000,
  /** Characters in the name of a plugin. */
  name: 64,
  /** Characters in the description of a plugin. */
  description: 512,
  /** Operations of one plugin. */
  operations: 128,
  /** Characters in the name of an operation. */
  operationName: 64,
  /** Characters, or bytes of an uploaded file, in an OpenAPI document. */
  document: 5_000_000,
  /** Characters in the URL of a document or a server. */
  url: 2000,
  /** Characters in a secret, a user name or a password. */
  secret: 4096,
  /** Characters in the name of the header or query parameter that carries a secret. */
  parameterName: 100,
  /** Characters before a user token in a header, such as "Bearer ". */
  tokenPrefix: 50,
  /** User tokens of one run. */
  userTokens: 128,
  /** Characters in a user token. */
  userToken: 8192,
} as const;

/** Limits of files. */
export const fileLimits = {
  /** Files in one workspace. */
  perWorkspace: 100_000,
  /** Files of one end user in a workspace. */
  perUser: 10_000,
  /** Requests with files that one process serves at a time. */
  uploadsAtOnce: 200,
  /** Files attached to one assistant or thread. */
  attached: 1000,
  /** Characters in the name of a file in an upload. */
  name: 255,
  /** Code points in the name of a file as it is stored; the rest is cut off. */
  storedName: 200,
} as const;

/** Limits of files that can be searched, and of searches. */
export const searchLimits = {
  /** Passages of one file. A larger file is not searchable. */
  passagesPerFile: 50_000,
  /** Distinct words of one file that misspelled words of a query are compared with. */
  wordsPerFile: 50_000,
  /** Starts of the ingestion of one file before it fails. */
  ingestionAttempts: 5,
  /** Distinct words of a query that a search looks for; the rest is ignored. */
  queryWords: 64,
  /** Characters of a query that a search by words compares literally; the rest is ignored. */
  literalQuery: 500,
  /** Characters of a query that are embedded; the rest is ignored. */
  embeddedQuery: 2000,
  /**
   * Vectors that one search compares. With more of them it searches by words alone, because the embedded database is
   * blocked while it compares.
   */
  comparedVectors: 50_000,
} as const;
