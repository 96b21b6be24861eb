// What the examples beside this file share: asking the graph, uploading a file, and running with tools to the end.
// KEY: the key that the server printed (by default the one in .data/admin-key). URL: where the server is.
import { readFile } from 'node:fs/promises';

const url = process.env.URL ?? 'http://127.0.0.1:4000';
const key = process.env.KEY ?? (await readFile('.data/admin-key', 'utf8').catch(() => '')).trim();
const headers = { authorization: `Bearer ${key}` };

/** What the operations of these examples answer. */
interface Data {
  createRun: { run: { id: string } };
  uploadFile: { file: { id: string } };
  registerPlugin: { plugin: { id: string; operations: Array<{ name: string }> } };
}

interface NamedFile {
  name: string;
  url: string;
}

/** An event of a run: each has some of these. */
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

/** Sends an operation; throws what the server refuses. */
export async function graph(query: string, variables: object = {}): Promise<Data> {
  const body = JSON.stringify({ query, variables });
  const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body };
  return dataOf(await fetch(`${url}/graphql`, init));
}

/** Uploads a file, by the GraphQL multipart request convention; returns its id. */
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

const events = `subscription($id: ID!) { runEvents(runId: $id) {
  ... on StepDelta { toolCall { name arguments output } }
  ... on MessageDelta { text }
  ... on RunStatusChanged { status run { lastError { message } steps { nodes { toolCalls { error { message }
    ... on CodeInterpreterToolCall { files { name url } } ... on TextToImageToolCall { images { name url } } } } } } } } }`;

/** Starts a run with a message and some tools, and prints what happens, as it happens. */
export async function run(text: string, tools: object[], more: object = {}): Promise<void> {
  const start = `mutation($input: CreateRunInput!) { createRun(input: $input) {
    ... on CreateRunPayload { run { id } } ... on Error { message } } }`;
  const thread = { messages: [{ text }], ...more };
  const { createRun } = await graph(start, { input: { thread, tools } });
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: events, variables: { id: createRun.run.id } }),
  });
  let rest = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^data: ?(.+)$/m.exec(block)?.[1];
      if (event) print(JSON.parse(event).data.runEvents);
    }
  }
}

function print({ toolCall, text, status, run: now }: RunEvent): void {
  process.stdout.write(text ?? toolCall?.arguments ?? toolCall?.output ?? '');
  if (!now || (status !== 'COMPLETED' && status !== 'FAILED')) return;
  console.log();
  if (now.lastError) console.error(now.lastError.message);
  for (const { toolCalls } of now.steps.nodes) {
    for (const { files = [], images = [], error } of toolCalls) {
      if (error) console.error(error.message);
      for (const file of [...files, ...images]) console.log(`${file.name}: ${file.url}`);
    }
  }
}
