import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { Answer, Client } from './client.ts';
import { openSocket } from './raw-socket.ts';

/** The ways in which a query is sent and answered. */
export const transports = [
  'JSON',
  'GET',
  'GraphQL response',
  'event stream',
  'reserved event stream',
  'multipart',
  'WebSocket',
] as const;
export type Transport = (typeof transports)[number];

type Result = Pick<Answer, 'data' | 'errors'>;

const accepts: Partial<Record<Transport, string>> = {
  'GraphQL response': 'application/graphql-response+json',
  'event stream': 'text/event-stream',
  multipart: 'multipart/mixed',
};

/** The result of a query by a transport. */
export async function answerBy(
  transport: Transport,
  client: Client,
  query: string,
  variables: object = {},
): Promise<Result> {
  if (transport === 'WebSocket') {
    const { socket, received, send } = await openSocket(client);
    send('1', query, variables);
    await expect.poll(() => received.length, { timeout: 20_000 }).toBeGreaterThan(1);
    socket.terminate();
    return received[1]?.payload;
  }
  if (transport === 'reserved event stream') {
    const token = await reserveStream(client);
    await sendToStream(client, token, query, variables);
    const stop = new AbortController();
    const stream = await openStream(client, token, stop.signal);
    const text = await textUntil(stream, 'event: complete');
    stop.abort();
    const next = text.split('\n').find((line) => line.startsWith('data: {"id":"1","payload"')) as string;
    return (lastJson(next) as { payload: Result }).payload;
  }
  const response = await fetch(...requestOf(transport, client, query, variables));
  return lastJson(await response.text()) as Result;
}

/** The last JSON value in a response: the whole, or the data of an event, or a part. */
function lastJson(text: string): unknown {
  const line = text.split(/\r?\n/).findLast((one) => /^(data: ?)?\{/.test(one)) as string;
  return JSON.parse(line.replace(/^data: ?/, ''));
}

function requestOf(transport: Transport, client: Client, query: string, variables: object): [string, RequestInit] {
  const accept = accepts[transport];
  const headers = { ...client.headers, ...(accept && { accept }) };
  if (transport !== 'GET')
    return [`${client.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) }];
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  return [`${client.url}/graphql?${search}`, { headers }];
}

const tokenHeader = 'x-graphql-event-stream-token';

/** Reserves an event stream for many operations. Returns its token. */
async function reserveStream({ url, headers }: Client): Promise<string> {
  return (await fetch(`${url}/graphql`, { method: 'PUT', headers: { ...headers, accept: '*/*' } })).text();
}

/** Starts an operation on a reserved event stream. */
async function sendToStream({ url, headers }: Client, token: string, query: string, variables: object) {
  const body = JSON.stringify({ query, variables, extensions: { operationId: '1' } });
  await fetch(`${url}/graphql`, { method: 'POST', headers: { ...headers, [tokenHeader]: token }, body });
}

const openStream = ({ url }: Client, token: string, signal: AbortSignal): Promise<Response> =>
  fetch(`${url}/graphql`, { headers: { accept: 'text/event-stream', [tokenHeader]: token }, signal });

async function textUntil(response: Response, end: string): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(end)) break;
  }
  return text;
}

/** A client that sends a query and reads no more than the first bytes of the response. */
export interface StalledClient {
  /** Reads all that still arrives; resolves when the connection has closed, with the bytes. */
  drain(): Promise<number>;
}

/** Sends a query by a transport and stops to read when the response begins. */
export async function stall(
  transport: Transport,
  client: Client,
  query: string,
  variables: object,
): Promise<StalledClient> {
  if (transport === 'WebSocket') {
    const { socket, send, closed } = await openSocket(client);
    socket.pause();
    send('1', query, variables);
    return {
      drain: async () => {
        socket.resume();
        await closed;
        return 0;
      },
    };
  }
  const socket = connect(Number(new URL(client.url).port), '127.0.0.1');
  socket.on('error', () => {});
  if (transport === 'reserved event stream') {
    const token = await reserveStream(client);
    socket.write(head('GET', '/graphql', { accept: 'text/event-stream', [tokenHeader]: token }));
    await firstBytes(socket);
    await sendToStream(client, token, query, variables);
  } else {
    const [url, { method = 'GET', headers, body = '' }] = requestOf(transport, client, query, variables);
    const length = { 'content-length': String(Buffer.byteLength(body as string)) };
    const { pathname, search } = new URL(url);
    socket.write(head(method, pathname + search, { ...(headers as object), ...length }) + body);
    await firstBytes(socket);
  }
  return { drain: () => drained(socket) };
}

/** Sends a short query, and a query behind it on the same connection, of which nothing is read. */
export async function stallPipelined(client: Client, query: string, variables: object): Promise<Socket> {
  const socket = connect(Number(new URL(client.url).port), '127.0.0.1');
  socket.on('error', () => {});
  const post = (body: string) =>
    head('POST', '/graphql', { ...client.headers, 'content-length': String(Buffer.byteLength(body)) }) + body;
  socket.write(post(JSON.stringify({ query: '{ viewer { kind } }' })) + post(JSON.stringify({ query, variables })));
  await firstBytes(socket);
  return socket;
}

const head = (method: string, path: string, headers: object) =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

/** Resolves with the first bytes; from then on nothing is read. */
function firstBytes(socket: Socket): Promise<void> {
  return new Promise((resolve) =>
    socket.once('data', () => {
      socket.pause();
      resolve();
    }),
  );
}

function drained(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    socket.on('data', () => {});
    socket.once('close', () => resolve(socket.bytesRead));
    if (socket.destroyed) resolve(socket.bytesRead);
    socket.resume();
  });
}
