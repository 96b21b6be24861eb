import { createClient, type Client as SocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { RunOverride } from '../../src/db/generated/client.ts';

/** A GraphQL response over HTTP. */
export interface Answer {
  status: number;
  data: any;
  errors?: Array<{
    message: string;
    path?: Array<string | number>;
    extensions: { code: string; requestId?: string; issues?: unknown[] };
  }>;
}

export type AnyEvent = any;

/** The selection of all test subscriptions. */
const eventSelection = `
  __typename
  ... on Event { cursor at runId threadId }
  ... on RunStatusChanged { status }
  ... on StepStarted { stepId type }
  ... on StepDelta { stepId toolCall { index id kind name arguments output } }
  ... on StepEnded { stepId stepStatus }
  ... on MessageStarted { messageId }
  ... on MessageDelta { messageId contentIndex text }
  ... on MessageEnded { messageId messageStatus message { text status } }
  ... on ReasoningDelta { stepId text }
`;

/** The headers and body of an operation with a file in its input; null if it has none. */
function bodyWithFiles(headers: Record<string, string>, query: string, variables: object) {
  const { input } = variables as { input?: { file?: unknown } };
  if (!(input?.file instanceof File)) return null;
  const { 'content-type': _type, ...rest } = headers;
  const form = new FormData();
  form.append('operations', JSON.stringify({ query, variables: { ...variables, input: { ...input, file: null } } }));
  form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
  form.append('0', input.file);
  return { headers: rest, body: form };
}

/** A client of a server under test with one credential. */
export class Client {
  readonly url: string;
  readonly key: string;
  readonly workspaceId: string | undefined;

  constructor(url: string, key: string, workspaceId?: string) {
    this.url = url;
    this.key = key;
    this.workspaceId = workspaceId;
  }

  get headers(): Record<string, string> {
    return {
      authorization: `Bearer ${this.key}`,
      'content-type': 'application/json',
      ...(this.workspaceId ? { 'x-workspace': this.workspaceId } : {}),
    };
  }

  /** Sends an operation over HTTP. */
  async send(query: string, variables: object = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      ...(bodyWithFiles(this.headers, query, variables) ?? {
        headers: this.headers,
        body: JSON.stringify({ query, variables }),
      }),
    });
    return { status: response.status, ...(await response.json()) };
  }

  /** Sends an operation and requests its results as SSE; `signal` aborts it. */
  stream(query: string, variables: object = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { ...this.headers, accept: 'text/event-stream' },
      body: JSON.stringify({ query, variables }),
      signal,
    });
  }

  /** Sends an operation and returns its data; throws its errors. */
  async data(query: string, variables: object = {}): Promise<Answer['data']> {
    const { data, errors } = await this.send(query, variables);
    if (errors) throw new Error(JSON.stringify(errors, null, 2));
    return data;
  }

  /** Sends a mutation; returns its payload with the fields of `selection`, or its error. */
  async mutate(name: string, input: object, selection: string): Promise<Answer['data']> {
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const query = `mutation($input: ${type}Input!) { ${name}(input: $input) {
      __typename ... on ${type}Payload { ${selection} }
      ... on Error { code refusal: message } ... on InvalidInputError { issues { path message } }
    } }`;
    return (await this.data(query, { input }))[name];
  }

  /** Creates a key in this client's workspace; `client` uses it. */
  async createKey(input: object): Promise<{ id: string; secret: string; client: Client }> {
    const selection = 'secret apiKey { id }';
    const result = await this.mutate('createApiKey', { name: 'Test', ...input }, selection);
    if (!result.secret) throw new Error(JSON.stringify(result));
    return { id: result.apiKey.id, secret: result.secret, client: new Client(this.url, result.secret) };
  }

  /** A client with a session token of an end user who may choose everything, as far as `input` does not say otherwise. */
  as(userId: string, input: object = {}): Promise<Client> {
    return this.asUser(userId, { overrides: Object.keys(RunOverride), ...input });
  }

  /** A client with a session token of an end user: with an empty input, one to whom nothing is open. */
  async asUser(userId: string, input: object = {}): Promise<Client> {
    const result = await this.mutate('createSessionToken', { userId, ...input }, 'token expiresAt');
    if (!result.token) throw new Error(JSON.stringify(result));
    return new Client(this.url, result.token);
  }

  async createAssistant(input: object = {}): Promise<{ id: string }> {
    return (await this.mutate('createAssistant', input, 'assistant { id }')).assistant;
  }

  async createThread(input: object = {}): Promise<{ id: string }> {
    return (await this.mutate('createThread', input, 'thread { id }')).thread;
  }

  /** Starts a run on a new thread with a message. */
  async ask(text: string, input: object = {}): Promise<{ id: string; thread: { id: string } }> {
    return this.run({ thread: { messages: [{ text }] }, ...input });
  }

  /** Starts a run. */
  async run(input: object): Promise<{ id: string; thread: { id: string } }> {
    const result = await this.mutate('createRun', input, 'run { id } thread { id }');
    if (!result.run) throw new Error(JSON.stringify(result));
    return { ...result.run, thread: result.thread };
  }

  /** Waits until a run ends or parks; returns the fields of `selection`. */
  async finished(id: string, selection = 'status'): Promise<Answer['data']> {
    const query = `query($id: ID!) { waitForRun(id: $id, timeoutSeconds: 50) { __typename ... on Run { ${selection} } ... on Error { message } } }`;
    return (await this.data(query, { id })).waitForRun;
  }

  /** A graphql-ws client that does not reconnect. */
  socket(): SocketClient {
    const params = {
      authorization: `Bearer ${this.key}`,
      ...(this.workspaceId ? { workspace: this.workspaceId } : {}),
    };
    const url = `${this.url.replace('http', 'ws')}/graphql`;
    return createClient({ url, webSocketImpl: WebSocket, connectionParams: params, retryAttempts: 0, lazy: true });
  }

  /** The events of a run over WebSocket, until it ends or the reader stops. */
  async *follow(runId: string, after?: string | null): AsyncGenerator<AnyEvent> {
    const query = `subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) { ${eventSelection} } }`;
    yield* this.subscribe(query, { id: runId, after }, 'runEvents');
  }

  /** The events of a thread over WebSocket, until the reader stops. */
  async *followThread(threadId: string, after?: string | null): AsyncGenerator<AnyEvent> {
    const query = `subscription($id: ID!, $after: String) { threadEvents(threadId: $id, after: $after) {
      ${eventSelection} ... on MessageAdded { messageId message { text } } ... on MessageRemoved { messageId } } }`;
    yield* this.subscribe(query, { id: threadId, after }, 'threadEvents');
  }

  /** The values of a subscription field over WebSocket; throws errors of the server. */
  async *subscribe(query: string, variables: Record<string, unknown>, field: string): AsyncGenerator<AnyEvent> {
    const socket = this.socket();
    try {
      for await (const { data, errors } of socket.iterate<Record<string, AnyEvent>>({ query, variables })) {
        if (errors) throw Object.assign(new Error(errors[0]?.message), { errors });
        yield data?.[field];
      }
    } finally {
      await socket.dispose();
    }
  }

  /** The events of a run over SSE, until it ends or the reader stops. */
  async *followBySse(runId: string, after?: string | null): AsyncGenerator<AnyEvent> {
    const query = `subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) { ${eventSelection} } }`;
    const stop = new AbortController();
    const response = await this.stream(query, { id: runId, after }, stop.signal);
    try {
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() as string;
        for (const block of blocks) {
          const data = /^data: ?(.+)$/m.exec(block)?.[1];
          if (/^event: ?complete$/m.test(block)) return;
          if (data) yield JSON.parse(data).data.runEvents;
        }
      }
    } finally {
      stop.abort();
    }
  }
}

/** Reads an async iterable to its end. */
export async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterable) values.push(value);
  return values;
}

/** Reads up to and including the first value that fits. */
export async function until<T>(iterable: AsyncIterable<T>, fits: (value: T) => boolean): Promise<T[]> {
  const values: T[] = [];
  for await (const value of iterable) {
    values.push(value);
    if (fits(value)) break;
  }
  return values;
}

const textsOf = (events: AnyEvent[], type: string) =>
  events
    .filter(({ __typename }) => __typename === type)
    .map(({ text }) => text)
    .join('');

/** The joined text of all message deltas. */
export const joined = (events: AnyEvent[]) => textsOf(events, 'MessageDelta');

/** The joined text of all reasoning deltas. */
export const reasoned = (events: AnyEvent[]) => textsOf(events, 'ReasoningDelta');

/** The names of events; adjacent deltas of one type count as one. */
export const shape = (events: AnyEvent[]) =>
  events
    .map(({ __typename, status }) => (__typename === 'RunStatusChanged' ? status : __typename))
    .filter((name, index, names) => !(name === names[index - 1] && name.endsWith('Delta')));
