// Honest runs while a server is attacked from all sides: first tokens with and without the attack (baseline), memory, runs that
// are lost, and what is left open afterwards. ABUSE_SECONDS: of the attack, 180. DATABASE_URL: a PostgreSQL to use; without it
// the database is embedded.
import { readdirSync, readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { attacks, type Foothold } from './abuse/attacks.ts';
import { percentile } from './process-figures.ts';
import { type Graph, headers, serve, serveGraph } from './server.ts';

const attackSeconds = Number(process.env.ABUSE_SECONDS ?? 180);
const honestUsers = 30;
/** A run that has not ended by then counts as lost. */
const patienceMs = 60_000;

const model = await serve('abuse/model.ts', {});
const hostileModel = await serve('abuse/model.ts', {});
// The attackers have machines of their own, which cannot be had here: they get what the server and the honest clients leave.
setPriority(hostileModel.pid, constants.priority.PRIORITY_LOW);
const server = await serveGraph({
  OPENAI_BASE_URL: `${model.url}/v1`,
  DEFAULT_MODEL: 'openai/scripted',
  DASHSCOPE_API_KEY: 'unused',
  DASHSCOPE_BASE_URL: `${hostileModel.url}/v1`,
  // What the attacks provoke in the log is not measured here.
  LOG_LEVEL: 'fatal',
});
const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024;
const openFiles = () => readdirSync(`/proc/${server.pid}/fd`).length;

/** What the attacker has: an end user of the key's workspace. The honest runs are in another workspace. */
async function foothold(graph: Graph, userId: string): Promise<Foothold> {
  const assistant = await graph(
    'mutation { createAssistant(input: { name: "Target", model: "alibaba/qwen-plus", tools: [{ codeInterpreter: { timeoutSeconds: 30 } }] }) { ... on CreateAssistantPayload { assistant { id } } ... on Error { message } } }',
  );
  const session = await graph(
    'mutation($userId: String!) { createSessionToken(input: { userId: $userId, ttlSeconds: 7200 }) { ... on CreateSessionTokenPayload { token } ... on Error { message } } }',
    { userId },
  );
  const text = 'x'.repeat(250_000);
  const thread = await graph(
    `mutation($text: String!, $userId: String!) { createThread(input: { owner: $userId, messages: [${'{ text: $text } '.repeat(20)}] }) { ... on CreateThreadPayload { thread { id } } ... on Error { message } } }`,
    { text, userId },
  );
  const threadId = thread.createThread.thread.id;
  await graph(
    `mutation($text: String!, $id: ID!) { ${Array.from({ length: 20 }, (_, index) => `m${index}: createMessage(input: { threadId: $id, message: { text: $text } }) { __typename }`).join(' ')} }`,
    { text, id: threadId },
  );
  return {
    url: server.url,
    token: session.createSessionToken.token,
    assistantId: assistant.createAssistant.assistant.id,
    threadId,
  };
}

const createWorkspace =
  'mutation { createWorkspace(input: { name: "Honest" }) { ... on CreateWorkspacePayload { workspace { id } } ... on Error { message } } }';
const workspace = (await server.graph(createWorkspace)).createWorkspace.workspace.id as string;
const honestHeaders = { ...headers, 'x-workspace': workspace };
const socket = createClient({
  url: `${server.url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: headers.authorization, workspace },
  retryAttempts: 0,
  lazy: false,
});
const createRun =
  'mutation { createRun(input: { thread: { messages: [{ text: "Hello" }] } }) { ... on CreateRunPayload { run { id } } ... on Error { message } } }';
const follow = `subscription($id: ID!) { runEvents(runId: $id) {
  __typename ... on MessageDelta { text } ... on RunStatusChanged { status } } }`;
const expected = Array.from({ length: 20 }, (_, index) => `word${index} `).join('');

interface Honest {
  first: number[];
  created: number[];
  /** Runs that did not end COMPLETED with the whole text, with the reason. */
  lost: string[];
}

/** A signal that aborts after `patienceMs`. Unlike that of `AbortSignal.timeout`, it cannot be collected while it is needed. */
function patience(): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const late = new Error(`no end within ${patienceMs / 1000} s`);
  const timer = setTimeout(() => controller.abort(late), patienceMs);
  return { signal: controller.signal, stop: () => clearTimeout(timer) };
}

async function runOnce(seen: Honest): Promise<void> {
  const { signal, stop } = patience();
  const impatient = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
  await Promise.race([askAndFollow(seen, signal), impatient]).catch((error) => {
    seen.lost.push((error as Error).message || String(error));
  });
  stop();
}

async function askAndFollow(seen: Honest, signal: AbortSignal): Promise<void> {
  const start = performance.now();
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: honestHeaders,
    body: JSON.stringify({ query: createRun }),
    signal,
  });
  const { data, errors } = (await response.json()) as Record<string, any>;
  if (!data?.createRun?.run) throw new Error(JSON.stringify(errors ?? data));
  const answered = performance.now();
  seen.created.push(answered - start);
  let text = '';
  let status = '';
  const events = socket.iterate<Record<string, any>>({ query: follow, variables: { id: data.createRun.run.id } });
  for await (const { data: event } of events) {
    const { text: delta, status: changed } = event?.runEvents ?? {};
    if (delta && text === '') seen.first.push(performance.now() - answered);
    text += delta ?? '';
    status = changed ?? status;
  }
  if (status !== 'COMPLETED' || text !== expected) throw new Error(`${status} after ${text.length} characters`);
}

/** The honest users ask again and again, with pauses. */
async function honestRuns(seconds: number): Promise<Honest> {
  const seen: Honest = { first: [], created: [], lost: [] };
  const end = performance.now() + seconds * 1000;
  const user = async (index: number) => {
    await delay(index * 100);
    while (performance.now() < end) {
      await runOnce(seen);
      await delay(3000);
    }
  };
  await Promise.all(Array.from({ length: honestUsers }, (_, index) => user(index)));
  return seen;
}

const line = (name: string, { first, created, lost }: Honest) =>
  `  ${name.padEnd(22)} ${String(first.length).padStart(5)} runs   first token p50 ${percentile(first, 0.5).toFixed(0).padStart(5)} ms  p99 ${percentile(first, 0.99).toFixed(0).padStart(6)} ms   createRun p99 ${percentile(created, 0.99).toFixed(0).padStart(6)} ms   lost ${lost.length}`;

console.log(`abuse, ${process.env.DATABASE_URL ? 'PostgreSQL' : 'embedded'}, ${honestUsers} honest users`);
const footholds: Record<string, Foothold> = {};
for (const name of Object.keys(attacks)) footholds[name] = await foothold(server.graph, `mallory of ${name}`);
await honestRuns(15);
const before = { rss: rss(), files: openFiles() };
const calm = await honestRuns(Math.min(60, attackSeconds));
console.log(line('without the attack', calm));

const attacker = await serve('abuse/attacker.ts', { ABUSE: JSON.stringify(footholds) });
setPriority(attacker.pid, constants.priority.PRIORITY_LOW);
let highest = 0;
let slowestHealth = 0;
let isOver = false;
const watch = (async () => {
  while (!isOver) {
    highest = Math.max(highest, rss());
    const start = performance.now();
    const { signal, stop } = patience();
    await fetch(`${server.url}/health`, { signal })
      .then((response) => response.text())
      .catch(() => {});
    stop();
    slowestHealth = Math.max(slowestHealth, performance.now() - start);
    await delay(200);
  }
})();
const attacked = await honestRuns(attackSeconds);
isOver = true;
await watch;
console.log(line('under attack', attacked));
for (const reason of new Set(attacked.lost)) console.log(`    lost: ${reason.slice(0, 200)}`);
const ratio = percentile(attacked.first, 0.99) / percentile(calm.first, 0.99);
console.log(`  first token p99: ${ratio.toFixed(1)} times that without the attack (target: at most 3)`);
console.log(`  memory: ${megabytes(before.rss)} before, ${megabytes(highest)} at most during the attack`);
console.log(`  slowest /health: ${slowestHealth.toFixed(0)} ms`);
console.log('  what the attacks were answered:');
await attacker.stop();

await delay(20_000);
const after = await honestRuns(15);
console.log(line('after the attack', after));
console.log(`  memory after: ${megabytes(rss())}; open files ${before.files} before, ${openFiles()} after`);
await socket.dispose();
await server.stop();
await model.stop();
await hostileModel.stop();
