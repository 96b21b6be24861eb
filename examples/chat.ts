// Asks a question in the terminal and streams the answer: node examples/chat.ts "Hello! What can you do?"
// Environment: KEY is the API key (default: the one in .data/admin-key), URL the server (default: http://127.0.0.1:4000).
import { readFile } from 'node:fs/promises';
import { type Client, createClient } from 'graphql-ws';

const url = process.env.URL ?? 'http://127.0.0.1:4000';
const key = process.env.KEY ?? (await readFile('.data/admin-key', 'utf8').catch(() => '')).trim();
const question = process.argv.slice(2).join(' ') || 'Hello! What can you do?';

const createRunMutation = `mutation CreateRun($input: CreateRunInput!) {
  createRun(input: $input) {
    ... on CreateRunPayload { run { id model } }
    ... on Error { code message }
  }
}`;

const runEventsSubscription = `subscription RunEvents($runId: ID!, $after: String) {
  runEvents(runId: $runId, after: $after) {
    ... on Event { cursor }
    ... on MessageDelta { messageId text }
    ... on RunStatusChanged { status run { lastError { message } } }
  }
}`;

interface RunEvent {
  cursor: string;
  messageId?: string;
  text?: string;
  status?: string;
  run?: { lastError: { message: string } | null };
}

/** Creates a thread with the message and a run that answers it; returns the id of the run. */
async function createRunFor(text: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: createRunMutation, variables: { input: { thread: { messages: [{ text }] } } } }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { createRun: { run?: { id: string }; message?: string } };
    errors?: Array<{ message: string }>;
  };
  const run = data?.createRun.run;
  if (!run) throw new Error(errors?.[0]?.message ?? data?.createRun.message);
  return run.id;
}

let messageId: string | undefined;

/** Prints an event. A run can write several messages: each starts on a new line. */
function print(event: RunEvent): void {
  if (messageId && event.messageId && event.messageId !== messageId) console.log();
  messageId = event.messageId ?? messageId;
  process.stdout.write(event.text ?? '');
  if (event.run?.lastError) console.error(`\n${event.run.lastError.message}`);
}

/** Streams the run and prints the answer. If the connection breaks, reconnects and resumes after the last cursor. */
async function follow(client: Client, runId: string): Promise<void> {
  const position: { after: string | null } = { after: null };
  for (let attempts = 0; attempts < 5; attempts += 1) {
    try {
      const events = client.iterate<{ runEvents: RunEvent }>({
        query: runEventsSubscription,
        variables: { runId, ...position },
      });
      for await (const { data } of events) {
        const event = data?.runEvents;
        if (!event) continue;
        position.after = event.cursor;
        attempts = 0;
        print(event);
      }
      return;
    } catch (error) {
      // A list of GraphQL errors is a refusal: a new attempt would fail, too.
      if (Array.isArray(error)) throw new Error(error[0]?.message);
      await new Promise((resolve) => setTimeout(resolve, 2 ** attempts * 250));
    }
  }
  throw new Error('The connection was lost; 5 attempts to reconnect failed.');
}

const client = createClient({
  url: `${url.replace(/^http/, 'ws')}/graphql`,
  connectionParams: { authorization: `Bearer ${key}` },
  retryAttempts: 0,
});
try {
  await follow(client, await createRunFor(question));
  console.log();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
await client.dispose();
