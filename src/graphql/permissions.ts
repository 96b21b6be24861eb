import type { RunOverride, Scope } from '../db/generated/client.ts';
import { choiceOverrides } from '../domain/run/user-choices.ts';

/**
 * What a field requires of a credential: a scope, or all of several scopes; `API_KEY`: an API key of any scope, no end
 * user; `ANY_CREDENTIAL`: no scope; `PARENT`: nothing beyond what the field that returned the object required.
 */
export type Permission = Scope | readonly Scope[] | 'API_KEY' | 'ANY_CREDENTIAL' | 'PARENT';

/**
 * The permission of each field of the root types, checked before anything is read. The domain checks the same again, and
 * also what depends on the input. The schema cannot be built while a field is missing here.
 */
const rootPermissions: Record<'Query' | 'Mutation' | 'Subscription', Record<string, Permission>> = {
  Query: {
    // The type of the node has its own permission.
    node: 'ANY_CREDENTIAL',
    nodes: 'ANY_CREDENTIAL',
    viewer: 'ANY_CREDENTIAL',
    workspace: 'ANY_CREDENTIAL',
    workspaces: 'ANY_CREDENTIAL',
    models: 'ANY_CREDENTIAL',
    plugin: 'ASSISTANTS_READ',
    plugins: 'ASSISTANTS_READ',
    file: 'THREADS_READ',
    files: 'THREADS_READ',
    assistant: 'ASSISTANTS_READ',
    assistants: 'ASSISTANTS_READ',
    thread: 'THREADS_READ',
    threads: 'THREADS_READ',
    message: 'THREADS_READ',
    searchMessages: 'THREADS_READ',
    run: 'RUNS_READ',
    runs: 'RUNS_READ',
    step: 'RUNS_READ',
    waitForRun: 'RUNS_READ',
  },
  Mutation: {
    createAssistant: 'ASSISTANTS_WRITE',
    updateAssistant: 'ASSISTANTS_WRITE',
    deleteAssistant: 'ASSISTANTS_WRITE',
    registerPlugin: 'ASSISTANTS_WRITE',
    updatePlugin: 'ASSISTANTS_WRITE',
    refreshPlugin: 'ASSISTANTS_WRITE',
    deletePlugin: 'ASSISTANTS_WRITE',
    createThread: 'THREADS_WRITE',
    updateThread: 'THREADS_WRITE',
    deleteThread: 'THREADS_WRITE',
    forkThread: 'THREADS_WRITE',
    createMessage: 'THREADS_WRITE',
    editMessage: 'THREADS_WRITE',
    updateMessage: 'THREADS_WRITE',
    deleteMessage: 'THREADS_WRITE',
    setMessageFeedback: 'THREADS_WRITE',
    markThreadRead: 'THREADS_READ',
    pinThread: 'THREADS_READ',
    uploadFile: 'THREADS_WRITE',
    deleteFile: 'THREADS_WRITE',
    createRun: 'RUNS_WRITE',
    // It deletes messages.
    regenerate: ['RUNS_WRITE', 'THREADS_WRITE'],
    submitToolOutputs: 'RUNS_WRITE',
    cancelRun: 'RUNS_WRITE',
    updateRun: 'RUNS_WRITE',
    createWorkspace: 'SERVER_ADMIN',
    updateWorkspace: 'WORKSPACE_ADMIN',
    deleteWorkspace: 'SERVER_ADMIN',
    createApiKey: 'WORKSPACE_ADMIN',
    updateApiKey: 'WORKSPACE_ADMIN',
    rotateApiKey: 'WORKSPACE_ADMIN',
    revokeApiKey: 'WORKSPACE_ADMIN',
    createSessionToken: 'API_KEY',
    rotateSigningKey: 'SERVER_ADMIN',
  },
  Subscription: {
    runEvents: 'RUNS_READ',
    threadEvents: ['THREADS_READ', 'RUNS_READ'],
  },
};

/**
 * The permission of all fields of a type except `id`: a credential that may create or change an object may also read its
 * id. A connection has the permission of its nodes. Edges, payloads and errors are `PARENT`. The schema cannot be built
 * while another type is missing here.
 */
const typePermissions: Record<string, Permission> = {
  Workspace: 'ANY_CREDENTIAL',
  WorkspaceSettings: 'API_KEY',
  EndUserSettings: 'PARENT',
  Viewer: 'ANY_CREDENTIAL',
  Model: 'ANY_CREDENTIAL',
  // A key can read itself by `viewer`; only the connection lists others.
  ApiKey: 'PARENT',
  ApiKeyConnection: 'WORKSPACE_ADMIN',
  Assistant: 'ASSISTANTS_READ',
  Plugin: 'ASSISTANTS_READ',
  Thread: 'THREADS_READ',
  Message: 'THREADS_READ',
  MessageSearch: 'THREADS_READ',
  File: 'THREADS_READ',
  Run: 'RUNS_READ',
  Step: 'RUNS_READ',
  ...forEach('PARENT', [
    ...['Event', 'RunStatusChanged', 'StepStarted', 'StepDelta', 'StepEnded', 'ToolCallDelta', 'ReasoningDelta'],
    ...['MessageStarted', 'MessageDelta', 'MessageEnded', 'MessageAdded', 'MessageRemoved', 'ThreadChanged'],
    ...[
      'Feedback',
      'MessageSearchHit',
      'TextRange',
      'TextContent',
      'ImageContent',
      'RefusalContent',
      'Annotation',
      'FileCitation',
      'FilePath',
    ],
    ...['CodeInterpreterTool', 'FunctionTool', 'TextToImageTool', 'PluginTool', 'FileSearchTool', 'WebSearchTool'],
    ...['ToolCall', 'CodeInterpreterToolCall', 'FunctionToolCall', 'TextToImageToolCall', 'PluginToolCall'],
    ...['FileSearchToolCall', 'FileSearchResult', 'WebSearchToolCall', 'PluginOperation', 'RequiredAction'],
    ...['Truncation', 'Usage', 'FileIngestion', 'Node', 'PageInfo', 'InputIssue', 'Error'],
  ]),
};

/** Fields whose permission differs from that of their type. */
const fieldPermissions: Record<string, Permission> = {
  // The text of a message requires the same scope while it is written as afterwards.
  'MessageDelta.text': 'THREADS_READ',
  // A run copies these from its assistant.
  'Run.instructions': ['RUNS_READ', 'ASSISTANTS_READ'],
  'Run.tools': ['RUNS_READ', 'ASSISTANTS_READ'],
  'Run.responseFormat': ['RUNS_READ', 'ASSISTANTS_READ'],
  'Run.providerOptions': ['RUNS_READ', 'ASSISTANTS_READ'],
};

/** What an end user needs besides the permission: an override; `NEVER`: nothing gives it to end users. */
export type UserRule = RunOverride | 'NEVER';

/**
 * What end users may not read without more. A type stands for its fields except `id`. All else that their permissions
 * allow is open to them.
 */
const userRules: Record<string, UserRule> = {
  'Assistant.instructions': 'NEVER',
  'Assistant.responseFormat': 'NEVER',
  'Assistant.providerOptions': 'NEVER',
  'Assistant.tools': 'TOOLS',
  'Run.instructions': 'NEVER',
  'Run.responseFormat': 'NEVER',
  'Run.providerOptions': 'NEVER',
  'Run.tools': 'TOOLS',
  'Run.toolChoice': 'TOOLS',
  'Query.plugin': 'TOOLS',
  'Query.plugins': 'TOOLS',
  Plugin: 'TOOLS',
};

/** The inputs with choices that only some end users have. */
const choiceInputs = ['CreateRunInput', 'RegenerateInput'];

/** What an end user needs to read a field, besides the permission; null: nothing. */
export function userRuleOf(type: string, field: string): { rule: UserRule; isOwn: boolean } | null {
  const own = userRules[`${type}.${field}`];
  if (own !== undefined) return { rule: own, isOwn: true };
  const ofType = field === 'id' ? undefined : userRules[type];
  return ofType === undefined ? null : { rule: ofType, isOwn: false };
}

/** What an end user needs to read the fields of a type; undefined: nothing. */
export const userRuleOfType = (type: string): UserRule | undefined => userRules[type];

/** The override that an end user needs to set a field of an input; undefined: none. */
export function inputOverrideOf(type: string, field: string): RunOverride | undefined {
  return choiceInputs.includes(type) ? choiceOverrides[field as keyof typeof choiceOverrides] : undefined;
}

/** The sentence about a rule for end users for descriptions in the schema. */
export const userStatementOf = (rule: UserRule): string =>
  rule === 'NEVER' ? 'End users cannot read it.' : `End users can read it only with the override ${rule}.`;

/** The same for a field of an input. */
export const inputStatementOf = (override: RunOverride): string =>
  `End users can choose it only with the override ${override}.`;

function forEach(permission: Permission, types: string[]): Record<string, Permission> {
  return Object.fromEntries(types.map((type) => [type, permission]));
}

/** The permission of a field; `isOwn`: it is the field's own, not that of its type. Throws if neither table has one. */
export function permissionOf(type: string, field: string): { permission: Permission; isOwn: boolean } {
  const own = rootPermissions[type as keyof typeof rootPermissions]?.[field] ?? fieldPermissions[`${type}.${field}`];
  if (own !== undefined) return { permission: own, isOwn: true };
  const ofType = permissionOfType(type);
  if (ofType === undefined) throw new Error(`graphql/permissions.ts has no permission for ${type}.${field}`);
  return { permission: field === 'id' ? 'PARENT' : ofType, isOwn: false };
}

/** The permission of the fields of a type; undefined if the table has none. */
export function permissionOfType(type: string): Permission | undefined {
  if (type in typePermissions) return typePermissions[type];
  if (/(Edge|Payload|Error)$/.test(type)) return 'PARENT';
  return type.endsWith('Connection') ? typePermissions[type.slice(0, -'Connection'.length)] : undefined;
}

/** The sentence about a permission for descriptions in the schema; empty for `PARENT`. */
export function statementOf(permission: Permission): string {
  if (permission === 'PARENT') return '';
  if (permission === 'ANY_CREDENTIAL') return 'Requires no scope.';
  if (permission === 'API_KEY') return 'Requires an API key, with any scopes.';
  const scopes = [permission].flat();
  return `Requires the scope${scopes.length > 1 ? 's' : ''} ${scopes.join(' and ')}.`;
}
