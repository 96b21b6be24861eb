/**
 * What an end user may name of the schema: for each type, its fields. A field alone is open to every end user with the
 * scope of its type. `field:TOOLS` is open with that override, `field:NEVER` to no end user. `*`: the whole type is for API
 * keys, because only fields that refuse end users lead to it. A field that is not here fails the tests: decide who may
 * use it first.
 */
const outputs: Record<string, string> = {
  Query:
    'assistant assistants file files message models node nodes plugin:TOOLS plugins:TOOLS run runs searchMessages step thread threads viewer waitForRun workspace workspaces',
  Mutation:
    'cancelRun createApiKey:NEVER createAssistant:NEVER createMessage createRun createSessionToken:NEVER createThread createWorkspace:NEVER deleteAssistant:NEVER deleteFile deleteMessage deletePlugin:NEVER deleteThread deleteWorkspace:NEVER editMessage forkThread markThreadRead pinThread refreshPlugin:NEVER regenerate registerPlugin:NEVER revokeApiKey:NEVER rotateApiKey:NEVER rotateSigningKey:NEVER setMessageFeedback submitToolOutputs updateApiKey:NEVER updateAssistant:NEVER updateMessage updatePlugin:NEVER updateRun updateThread updateWorkspace:NEVER uploadFile',
  Subscription: 'runEvents threadEvents',
  Assistant:
    'createdAt description files id instructions:NEVER maxCompletionTokens metadata model name providerOptions:NEVER reasoningEffort responseFormat:NEVER runs seed stop temperature threads tools:TOOLS topK topP updatedAt',
  Run: 'assistant attempt cost createdAt endedAt eventCursor expiresAt firstTokenAt firstTokenMs id incompleteReason instructions:NEVER lastError maxCompletionTokens maxPromptTokens messages metadata model omittedMessages parallelToolCalls providerOptions:NEVER queuedMs reasoningEffort requiredAction responseFormat:NEVER seed startedAt status steps stop temperature thread tokensPerSecond toolChoice:TOOLS tools:TOOLS topK topP truncation usage',
  Plugin:
    'auth:TOOLS createdAt:TOOLS description:TOOLS id kind:TOOLS name:TOOLS operations:TOOLS refreshedAt:TOOLS url:TOOLS',
  Thread:
    'activeRun archivedAt assistant cost createdAt eventCursor expiresAt files forkedFrom id lastActiveAt lastMessage messages metadata owner pinnedAt runs title unreadCount usage',
  Message:
    'assistant attachments clientId completedAt content createdAt editedAt feedback flags id incompleteReason metadata position role run status text thread',
  Step: 'cost createdAt durationMs endedAt firstTokenAt id index lastError message reasoning run startedAt status toolCalls type usage',
  File: 'createdAt id ingestion mimeType name owner sizeBytes url',
  Workspace: 'apiKeys:NEVER createdAt id isDefault name settings:NEVER',
  Viewer: 'apiKey kind models overrides scopes userId workspace',
  Model:
    'contextWindow id inputPricePerMillion outputPricePerMillion provider supportsImages supportsReasoning supportsTools',
  FileIngestion: 'embeddingError embeddingModel embeddingTokens error progress status',
  RequiredAction: 'toolCalls',
  RunError: 'code message retryable',
  Truncation: 'lastMessages strategy',
  Usage: 'cachedTokens completionTokens promptTokens reasoningTokens totalTokens',
  // The content of messages.
  TextContent: 'annotations text',
  ImageContent: 'detail file url',
  MessageSearchHit: 'message ranges snippet',
  TextRange: 'endIndex startIndex',
  Feedback: 'comment createdAt rating userId',
  RefusalContent: 'refusal',
  Annotation: 'endIndex startIndex text',
  FileCitation: 'endIndex file quote score startIndex text',
  FilePath: 'endIndex file startIndex text',
  // What a run did in the user's own thread.
  ToolCall: 'durationMs endedAt error id index startedAt status',
  FunctionToolCall: 'arguments durationMs endedAt error id index name output startedAt status',
  CodeInterpreterToolCall: 'code durationMs endedAt error files id index logs startedAt status',
  TextToImageToolCall: 'durationMs endedAt error id images index prompt startedAt status',
  PluginToolCall: 'arguments durationMs endedAt error httpStatus id index operation output plugin startedAt status',
  FileSearchToolCall: 'durationMs endedAt error id index query results startedAt status',
  FileSearchResult: 'file page score text',
  WebSearchToolCall: 'durationMs endedAt error id index output query startedAt status',
  ToolCallDelta: 'arguments id index kind name output',
  // Reached through `tools` and `operations`, which need TOOLS.
  CodeInterpreterTool: 'timeoutSeconds',
  FileSearchTool: 'maxResults',
  FunctionTool: 'description name parameters strict',
  PluginTool: 'operations plugin',
  PluginOperation: 'description name parameters',
  TextToImageTool: 'model size',
  WebSearchTool: 'maxResults',
  // Events.
  Event: 'at cursor runId threadId',
  MessageAdded: 'at cursor message messageId runId threadId',
  MessageDelta: 'at contentIndex cursor message messageId runId text threadId',
  MessageEnded: 'at cursor message messageId messageStatus runId threadId',
  MessageRemoved: 'at cursor messageId runId threadId',
  MessageStarted: 'at cursor message messageId runId threadId',
  ReasoningDelta: 'at cursor runId stepId text threadId',
  RunStatusChanged: 'at cursor run runId status threadId',
  StepDelta: 'at cursor runId step stepId threadId toolCall',
  StepEnded: 'at cursor runId step stepId stepStatus threadId',
  StepStarted: 'at cursor runId step stepId threadId type',
  ThreadChanged: 'at cursor runId thread threadId',
  // Lists.
  Node: 'id',
  PageInfo: 'endCursor hasNextPage hasPreviousPage startCursor',
  ...Object.fromEntries(
    ['Assistant', 'File', 'Message', 'MessageSearch', 'Run', 'Step', 'Thread', 'Workspace', 'Plugin'].flatMap(
      (type) => [
        [`${type}Connection`, 'edges nodes pageInfo totalCount'],
        [`${type}Edge`, 'cursor node'],
      ],
    ),
  ),
  // Errors.
  Error: 'code message',
  ConflictError: 'code message',
  ContentRejectedError: 'categories code message',
  ForbiddenError: 'code message requiredOverride requiredScope',
  InputIssue: 'message path',
  InvalidInputError: 'code issues message',
  NotFoundError: 'code id message',
  QuotaExceededError: 'code message retryAfterSeconds',
  RunNotWaitingError: 'code message run',
  ThreadBusyError: 'activeRun code message',
  WaitTimeoutError: 'code message run',
  // Payloads.
  CancelRunPayload: 'run',
  CreateMessagePayload: 'threadMessage',
  CreateRunPayload: 'messages run thread',
  CreateThreadPayload: 'thread',
  DeleteFilePayload: 'deletedId workspace',
  DeleteMessagePayload: 'deletedId thread',
  DeleteThreadPayload: 'deletedId workspace',
  EditMessagePayload: 'threadMessage',
  ForkThreadPayload: 'thread',
  MarkThreadReadPayload: 'thread',
  PinThreadPayload: 'thread',
  RegeneratePayload: 'run thread',
  SetMessageFeedbackPayload: 'threadMessage',
  SubmitToolOutputsPayload: 'run',
  UpdateMessagePayload: 'threadMessage',
  UpdateRunPayload: 'run',
  UpdateThreadPayload: 'thread',
  UploadFilePayload: 'file',
  ...forKeys(
    ...['ApiKey', 'ApiKeyConnection', 'ApiKeyEdge', 'WorkspaceSettings', 'EndUserSettings', 'CreateApiKeyPayload'],
    ...['CreateAssistantPayload', 'CreateSessionTokenPayload', 'CreateWorkspacePayload', 'DeleteAssistantPayload'],
    ...['DeletePluginPayload', 'DeleteWorkspacePayload', 'RefreshPluginPayload', 'RegisterPluginPayload'],
    ...['RevokeApiKeyPayload', 'RotateApiKeyPayload', 'RotateSigningKeyPayload', 'UpdateApiKeyPayload'],
    ...['UpdateAssistantPayload', 'UpdatePluginPayload', 'UpdateWorkspacePayload'],
  ),
};

const inputs: Record<string, string> = {
  CreateRunInput:
    'additionalInstructions:INSTRUCTIONS assistantId editMessage idempotencyKey instructions:INSTRUCTIONS maxCompletionTokens:LIMITS maxPromptTokens:LIMITS maxSteps:LIMITS messages metadata model:MODEL parallelToolCalls:TOOLS pluginTokens providerOptions:MODEL reasoningEffort:MODEL responseFormat:INSTRUCTIONS seed:MODEL stop:MODEL temperature:MODEL thread threadId toolChoice:TOOLS tools:TOOLS topK:MODEL topP:MODEL truncation:LIMITS whenBusy',
  RegenerateInput:
    'assistantId idempotencyKey instructions:INSTRUCTIONS metadata model:MODEL pluginTokens threadId tools:TOOLS',
  CancelRunInput: 'id',
  SubmitToolOutputsInput: 'outputs runId',
  ToolOutputInput: 'isError output toolCallId',
  UpdateRunInput: 'id metadata',
  PluginTokenInput: 'pluginId token',
  CreateThreadInput: 'assistantId fileIds messages metadata owner title',
  UpdateThreadInput: 'archived assistantId fileIds id metadata title',
  DeleteThreadInput: 'id',
  ForkThreadInput: 'metadata throughMessageId title',
  CreateMessageInput: 'message threadId',
  EditMessageInput: 'content id text',
  UpdateMessageInput: 'id metadata',
  DeleteMessageInput: 'id',
  MarkThreadReadInput: 'position threadId',
  PinThreadInput: 'pinned threadId',
  SetMessageFeedbackInput: 'comment messageId rating',
  MessageInput: 'clientId content fileIds metadata role text',
  MessageContentInput: 'imageFileId imageUrl text',
  UploadFileInput: 'file name',
  DeleteFileInput: 'id',
  // Filters and orders: none of them asks for a field that is closed.
  AssistantFilter: 'metadata model search',
  AssistantOrder: 'direction field',
  FileFilter: 'assistantId search threadId',
  FileOrder: 'direction field',
  MessageFilter: 'createdAfter createdBefore feedback flagged metadata role runId',
  MessageOrder: 'direction field',
  MessageSearchFilter: 'createdAfter createdBefore owner role threadId',
  PluginOrder: 'direction field',
  RunFilter:
    'assistantId costAbove createdAfter createdBefore errorCode longerThanMs metadata model owner status threadId toolKind',
  RunOrder: 'direction field',
  StepOrder: 'direction field',
  ThreadFilter:
    'archived assistantId createdAfter createdBefore hasActiveRun lastActiveAfter lastActiveBefore metadata owner pinned search',
  ThreadOrder: 'direction field',
  WorkspaceOrder: 'direction field',
  // Reached through `tools` and `truncation`, which need an override.
  ToolInput: 'codeInterpreter fileSearch function plugin textToImage webSearch',
  CodeInterpreterToolInput: 'timeoutSeconds',
  FileSearchToolInput: 'maxResults',
  FunctionToolInput: 'description name parameters strict',
  PluginToolInput: 'operations pluginId',
  TextToImageToolInput: 'model size',
  WebSearchToolInput: 'maxResults',
  TruncationInput: 'lastMessages strategy',
  ToolChoiceInput: 'function mode',
  // Reached through `responseFormat`, which needs an override.
  JsonSchemaFormatInput: 'description name schema strict',
  ResponseFormatInput: 'jsonSchema type',
  ...forKeys(
    ...[
      'ApiKeyAuthInput',
      'ApiKeyOrder',
      'BasicAuthInput',
      'BearerAuthInput',
      'CreateApiKeyInput',
      'CreateAssistantInput',
    ],
    ...['CreateSessionTokenInput', 'CreateWorkspaceInput', 'DeleteAssistantInput', 'DeletePluginInput'],
    ...['DeleteWorkspaceInput', 'EndUserSettingsInput', 'McpInput', 'OpenApiInput', 'PluginAuthInput'],
    ...[
      'PluginSourceInput',
      'RefreshPluginInput',
      'RegisterPluginInput',
      'RevokeApiKeyInput',
      'RotateApiKeyInput',
      'RotateSigningKeyInput',
    ],
    ...['UpdateApiKeyInput', 'UpdateAssistantInput', 'UpdatePluginInput', 'UpdateWorkspaceInput', 'UserTokenAuthInput'],
    'WorkspaceSettingsInput',
  ),
};

function forKeys(...types: string[]): Record<string, string> {
  return Object.fromEntries(types.map((type) => [type, '*']));
}

/** `OPEN`, `NEVER`, or the override that opens a field to end users. */
export type UserAccess = string;

/** The table: the access of each field, by `Type.field`; `Type.*` for a type that is for API keys. */
export const endUserFields: ReadonlyMap<string, UserAccess> = new Map(
  Object.entries({ ...outputs, ...inputs }).flatMap(([type, fields]) =>
    fields.split(' ').map((entry): [string, UserAccess] => {
      const [field, access = field === '*' ? 'NEVER' : 'OPEN'] = entry.split(':');
      return [`${type}.${field}`, access];
    }),
  ),
);

/** The access of a field; undefined: it is not in the table. */
export const accessOf = (type: string, field: string): UserAccess | undefined =>
  endUserFields.get(`${type}.*`) ?? endUserFields.get(`${type}.${field}`);
