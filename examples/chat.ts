// A chat in the terminal: node examples/chat.ts "Hello! What can you do?"
// KEY: the key that the server printed (by default the one in .data/admin-key). URL: where the server is.
import { readFile } from 'node:fs/promises';
import { type Client, createClient } from 'graphql-ws';

const url = process.env.URL ?? 'http://127.0.0.1:4000';
const key = process.env.KEY ?? (await readFile('.data/admin-key', 'utf8').catch(() => '')).trim();
const question = process.argv.slice(2).join(' ') || 'Hello! What can you do?';

const createRun = `mutation CreateRun($input: CreateRunInput!) {
  createRun(input: $input) {
    ... on CreateRunPayload { run { id model } }
    ... on Error { code message }
  }
}`;

const runEvents = `subscription RunEvents($runId: ID!, $after: String) {
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

async function start(text: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: createRun, variables: { input: { thread: { messages: [{ text }] } } } }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { createRun: { run?: { id: string }; message?: string } };
    errors?: Array<{ message: string }>;
  };
  const run = data?.createRun.run;
  if (!run) throw new Error(errors?.[0]?.message ?? data?.createRun.message);
  return run.id;
}

let message: string | undefined;

/** A run may write several messages: each begins on a line of its own. */
function print(event: RunEvent): void {
  if (message && event.messageId && event.messageId !== message) console.log();
  message = event.messageId ?? message;
  process.stdout.write(event.text ?? '');
  if (event.run?.lastError) console.error(`\n${event.run.lastError.message}`);
}

/** Prints the answer as it is written. Where a connection breaks, it goes on from the last cursor that it saw. */
async function follow(client: Client, runId: string): Promise<void> {
  const place: { after: string | null } = { after: null };
  for (let tries = 0; tries < 5; tries += 1) {
    try {
      const events = client.iterate<{ runEvents: RunEvent }>({ query: runEvents, variables: { runId, ...place } });
      for await (const { data } of events) {
        const event = data?.runEvents;
        if (!event) continue;
        place.after = event.cursor;
        tries = 0;
        print(event);
      }
      return;
    } catch (error) {
      if (Array.isArray(error)) throw new Error(error[0]?.message);
      await new Promise((resolve) => setTimeout(resolve, 2 ** tries * 250));
    }
  }
  throw new Error('The connection could not be made again.');
}

const client = createClient({
  url: `${url.replace(/^http/, 'ws')}/graphql`,
  connectionParams: { authorization: `Bearer ${key}` },
  retryAttempts: 0,
});
try {
  await follow(client, await start(question));
  console.log();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
await client.dispose();
