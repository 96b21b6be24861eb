import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** A request as the model server received it. */
export interface ModelRequest {
  model: string;
  messages: Array<{ role: string; content: unknown; tool_calls?: unknown; tool_call_id?: string }>;
  tools?: unknown[];
  [option: string]: unknown;
}

/** How the server answers one request. */
export type Answer = (respond: Responder, request: ModelRequest) => Promise<void> | void;

/** Writes one response chunk by chunk, as an OpenAI-compatible server does. */
export class Responder {
  readonly response: ServerResponse;
  readonly #model: string;

  constructor(response: ServerResponse, model: string) {
    this.response = response;
    this.#model = model;
  }

  /** Resolves when the client has closed the connection. */
  get closed(): Promise<void> {
    return new Promise((resolve) => this.response.once('close', () => resolve()));
  }

  /** Answers with an error status and OpenAI's error body. */
  fail(status: number, message: string, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { 'content-type': 'application/json', ...headers });
    this.response.end(JSON.stringify({ error: { message, type: 'error' } }));
  }

  /** Starts the stream. */
  open(): void {
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'text/event-stream' });
  }

  /** Sends raw bytes. */
  raw(bytes: string | Buffer): Promise<void> {
    this.open();
    return new Promise((resolve) => this.response.write(bytes, () => resolve()));
  }

  /** Repeats `send` until the client has closed the connection. */
  async endless(send: () => unknown): Promise<void> {
    let isClosed = false;
    const closed = this.closed.then(() => {
      isClosed = true;
    });
    while (!isClosed) {
      await Promise.race([send(), closed]);
      // Client and server share the event loop.
      await turn();
    }
  }

  /** Sends one chunk with a delta. */
  delta(delta: object, finish: string | null = null): Promise<void> {
    return this.raw(
      `data: ${JSON.stringify(this.#chunk({ choices: [{ index: 0, delta, finish_reason: finish }] }))}\n\n`,
    );
  }

  /** Sends a delta of the text. */
  text(content: string): Promise<void> {
    return this.delta({ role: 'assistant', content });
  }

  /** Ends the stream with a finish reason, usage and `[DONE]`. */
  async end(
    finish = 'stop',
    usage: object | null = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 },
  ): Promise<void> {
    await this.delta({}, finish);
    if (usage) await this.raw(`data: ${JSON.stringify(this.#chunk({ choices: [], usage }))}\n\n`);
    await this.raw('data: [DONE]\n\n');
    this.response.end();
  }

  /** Destroys the connection. */
  destroy(): void {
    this.response.destroy();
  }

  #chunk(fields: object) {
    return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: this.#model, ...fields };
  }
}

/** A scripted model server on loopback that speaks OpenAI's chat completions over real HTTP. */
export class ModelServer {
  /** The requests received, in order. */
  readonly requests: ModelRequest[] = [];
  readonly #answers: Answer[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  /** Starts a server on a free port. */
  static async start(): Promise<ModelServer> {
    const server = new ModelServer();
    await server.listen();
    return server;
  }

  /** Listens on a free port. */
  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get baseURL(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Sets the answers of the next requests, in order; the last one is repeated. */
  answers(...answers: Answer[]): void {
    this.#answers.splice(0, Number.POSITIVE_INFINITY, ...answers);
    this.requests.length = 0;
  }

  /** Answers every request with these deltas of text. */
  streams(...pieces: string[]): void {
    this.answers(async (respond) => {
      for (const piece of pieces) await respond.text(piece);
      await respond.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.endsWith('/models')) {
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ data: [{ id: 'scripted' }] }));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as ModelRequest;
    this.requests.push(body);
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    await answer?.(new Responder(response, body.model), body);
  }
}
