import type { Scope } from '../db/generated/client.ts';

/**
 * What a credential needs to use something: a scope, or several; `KEY`: an API key, no end user; `ANYONE`: any good
 * credential; `PARENT`: whoever was given the thing that it hangs on.
 */
export type Permission = Scope | readonly Scope[] | 'KEY' | 'ANYONE' | 'PARENT';

/**
 * Who may use each field of the root types. The domain asks for the same again, and for what depends on the input; this is
 * where it is said, and enforced before anything is read. A field that is missing here stops the build of the schema.
 */
const rootPermissions: Record<'Query' | 'Mutation' | 'Subscription', Record<string, Permission>> = {
  Query: {
    // What an id names needs what its type needs.
    node: 'ANYONE',
    nodes: 'ANYONE',
    viewer: 'ANYONE',
    workspace: 'ANYONE',
    workspaces: 'ANYONE',
    models: 'ANYONE',
    plugin: 'ASSISTANTS_READ',
    plugins: 'ASSISTANTS_READ',
    file: 'THREADS_READ',
    files: 'THREADS_READ',
    assistant: 'ASSISTANTS_READ',
    assistants: 'ASSISTANTS_READ',
    thread: 'THREADS_READ',
    threads: 'THREADS_READ',
    message: 'THREADS_READ',
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
    uploadFile: 'THREADS_WRITE',
    deleteFile: 'THREADS_WRITE',
    createRun: 'RUNS_WRITE',
    // It deletes the answer that was there.
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
    createSessionToken: 'KEY',
    rotateSigningKey: 'SERVER_ADMIN',
  },
  Subscription: {
    runEvents: 'RUNS_READ',
    threadEvents: ['THREADS_READ', 'RUNS_READ'],
  },
};

/**
 * Who may read the fields of a type, but for its `id`: whoever made or changed a thing may name it. A connection needs what
 * its nodes need. `PARENT` are types that are only reached through others that say what they need. A type that is
 * missing here stops the build of the schema; edges, payloads and errors have nothing of their own.
 */
const typePermissions: Record<string, Permission> = {
  Workspace: 'ANYONE',
  WorkspaceSettings: 'KEY',
  Viewer: 'ANYONE',
  Model: 'ANYONE',
  // A key may know itself; others are in the list of a workspace.
  ApiKey: 'PARENT',
  ApiKeyConnection: 'WORKSPACE_ADMIN',
  Assistant: 'ASSISTANTS_READ',
  Plugin: 'ASSISTANTS_READ',
  Thread: 'THREADS_READ',
  Message: 'THREADS_READ',
  File: 'THREADS_READ',
  Run: 'RUNS_READ',
  Step: 'RUNS_READ',
  ...of('PARENT', [
    ...['Event', 'RunStatusChanged', 'StepStarted', 'StepDelta', 'StepEnded', 'ToolCallDelta', 'ReasoningDelta'],
    ...['MessageStarted', 'MessageDelta', 'MessageEnded', 'MessageAdded', 'MessageRemoved'],
    ...['TextContent', 'ImageContent', 'RefusalContent', 'Annotation', 'FileCitation', 'FilePath'],
    ...['CodeInterpreterTool', 'FunctionTool', 'TextToImageTool', 'PluginTool', 'FileSearchTool', 'WebSearchTool'],
    ...['ToolCall', 'CodeInterpreterToolCall', 'FunctionToolCall', 'TextToImageToolCall', 'PluginToolCall'],
    ...['FileSearchToolCall', 'FileSearchResult', 'WebSearchToolCall', 'PluginOperation', 'RequiredAction'],
    ...['Truncation', 'Usage', 'FileIngestion', 'Node', 'PageInfo', 'InputIssue', 'Error'],
  ]),
};

/** Where a field needs something else than its type. */
const fieldPermissions: Record<string, Permission> = {
  // What is said in a conversation belongs to its thread, also while it is being said.
  'MessageDelta.text': 'THREADS_READ',
};

function of(permission: Permission, types: string[]): Record<string, Permission> {
  return Object.fromEntries(types.map((type) => [type, permission]));
}

/** What a field permission, and whether it says so itself or its type does. Throws when nobody has said. */
export function permissionOf(type: string, field: string): { permission: Permission; isOwn: boolean } {
  const own = rootPermissions[type as keyof typeof rootPermissions]?.[field] ?? fieldPermissions[`${type}.${field}`];
  if (own !== undefined) return { permission: own, isOwn: true };
  const ofType = permissionOfType(type);
  if (ofType === undefined) throw new Error(`graphql/permissions.ts has no permission for ${type}.${field}`);
  return { permission: field === 'id' ? 'PARENT' : ofType, isOwn: false };
}

/** What the fields of a type need; undefined when nobody has said. */
export function permissionOfType(type: string): Permission | undefined {
  if (type in typePermissions) return typePermissions[type];
  if (/(Edge|Payload|Error)$/.test(type)) return 'PARENT';
  return type.endsWith('Connection') ? typePermissions[type.slice(0, -'Connection'.length)] : undefined;
}

/** The sentence that the schema says about it; empty where there is nothing to say. */
export function statementOf(permission: Permission): string {
  if (permission === 'PARENT') return '';
  if (permission === 'ANYONE') return 'Open to every credential.';
  if (permission === 'KEY') return 'Needs an API key, of whatever scope.';
  return `Needs ${[permission].flat().join(' and ')}.`;
}
