// Shared by the examples in this folder: sending an operation, uploading a file, and streaming a run with tools.
// Environment: KEY is the API key (default: the one in .data/admin-key), URL the server (default: http://127.0.0.1:4000).
import { readFile } from 'node:fs/promises';

const url = process.env.URL ?? 'http://127.0.0.1:4000';
const key = process.env.KEY ?? (await readFile('.data/admin-key', 'utf8').catch(() => '')).trim();
const headers = { authorization: `Bearer ${key}` };

/** The results of the operations in these examples. */
interface Data {
  createRun: { run: { id: string } };
  uploadFile: { file: { id: string } };
  registerPlugin: { plugin: { id: string; operations: Array<{ name: string }> } };
}

interface NamedFile {
  name: string;
  url: string;
}

/** An event of a run. Each type of event has some of these fields. */
interface RunEvent {
  toolCall?: { arguments: string | null; output: string | null };
  text?: string;
  status?: string;
  run?: {
    lastError: { message: string } | null;
    steps: {
      nodes: Array<{
        toolCalls: Array<{ error: { message: string } | null; files?: NamedFile[]; images?: NamedFile[] }>;
      }>;
    };
  };
}

/** Sends an operation and returns its data. Throws if the server returns an error or refuses the mutation. */
export async function graph(query: string, variables: object = {}): Promise<Data> {
  const body = JSON.stringify({ query, variables });
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body };
  return dataOf(await fetch(`${url}/graphql`, init));
}

/** Uploads a file as a GraphQL multipart request; returns its id. */
export async function upload(name: string, content: string): Promise<string> {
  const query = `mutation($input: UploadFileInput!) { uploadFile(input: $input) {
    ... on UploadFilePayload { file { id } } ... on Error { message } } }`;
  const form = new FormData();
  form.append('operations', JSON.stringify({ query, variables: { input: { file: null } } }));
  form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
  form.append('0', new File([content], name));
  const data = await dataOf(await fetch(`${url}/graphql`, { method: 'POST', headers, body: form }));
  return data.uploadFile.file.id;
}

async function dataOf(response: Response): Promise<Data> {
  const { data, errors } = (await response.json()) as { data?: Data; errors?: Array<{ message: string }> };
  if (errors?.[0]) throw new Error(errors[0].message);
  for (const field of Object.values(data ?? {})) if ('message' in field) throw new Error(String(field.message));
  return data as Data;
}

const runEvents = `subscription($id: ID!) { runEvents(runId: $id) {
  ... on StepDelta { toolCall { name arguments output } }
  ... on MessageDelta { text }
  ... on RunStatusChanged { status run { lastError { message } steps { nodes { toolCalls { error { message }
    ... on CodeInterpreterToolCall { files { name url } } ... on TextToImageToolCall { images { name url } } } } } } } } }`;

/** Starts a run with a message and tools, and prints its events. `threadFields`: for example `fileIds`. */
export async function run(text: string, tools: object[], threadFields: object = {}): Promise<void> {
  const createRunMutation = `mutation($input: CreateRunInput!) { createRun(input: $input) {
    ... on CreateRunPayload { run { id } } ... on Error { message } } }`;
  const thread = { messages: [{ text }], ...threadFields };
  const { createRun } = await graph(createRunMutation, { input: { thread, tools } });
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: runEvents, variables: { id: createRun.run.id } }),
  });
  let incomplete = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (incomplete + chunk).split('\n\n');
    incomplete = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^data: ?(.+)$/m.exec(block)?.[1];
      if (event) print(JSON.parse(event).data.runEvents);
    }
  }
}

/** Prints the deltas of an event and, at the end of the run, its errors and files. */
function print({ toolCall, text, status, run: state }: RunEvent): void {
  process.stdout.write(text ?? toolCall?.arguments ?? toolCall?.output ?? '');
  if (!state || (status !== 'COMPLETED' && status !== 'FAILED')) return;
  console.log();
  if (state.lastError) console.error(state.lastError.message);
  for (const { toolCalls } of state.steps.nodes) {
    for (const { files = [], images = [], error } of toolCalls) {
      if (error) console.error(error.message);
      for (const file of [...files, ...images]) console.log(`${file.name}: ${file.url}`);
    }
  }
}
