import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, type GraphQLError, getOperationAST } from 'graphql';
import {
  createHandler,
  type Handler,
  type OperationArgs,
  type Request,
  type RequestParams,
  type Response,
} from 'graphql-sse';
import { DomainError, RateLimitedError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import { type Authenticator, credentialIn, refusedRequest } from '../session/authenticate.ts';
import type { Session } from '../session/session.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import { workspaceIn, type Yoga } from '../yoga/yoga.ts';
import { errorResult, withErrorResults } from './error-results.ts';
import { executorsWith, operationOf } from './operation.ts';
import { ReservedStream } from './reserved-stream.ts';
import type { SharedResults } from './shared-results.ts';

const tokenHeader = 'x-graphql-event-stream-token';
/** A stream that was asked for and not opened by then is forgotten. */
const openWithinMs = 30_000;
/** How many queries and mutations may have answers on their way, or waiting, on one stream. */
const maxAnswers = 100;

type Raw = { request: IncomingMessage; body: string | null };
type Context = Record<PropertyKey, unknown>;
type SseRequest = Request<Raw, unknown>;

/** The token of an event stream that a request names; null: none. */
function tokenOf({ headers, url = '' }: IncomingMessage): string | null {
  const header = headers[tokenHeader];
  return typeof header === 'string' ? header : tokenInAddress(url);
}

const tokenInAddress = (url: string) => new URLSearchParams(url.split('?')[1]).get('token');

/**
 * The single connection mode of the GraphQL over SSE protocol, on the same path as everything else: PUT reserves a stream and
 * answers with its token, GET opens it, POST with the token sends an operation whose answers come on it, DELETE ends one.
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
 * The token opens the stream; each operation says with its own credential who asks, and must be of whoever reserved it. The
 * distinct connections mode needs none of this: that is how yoga answers.
 */
export class EventStreams {
  readonly #yoga: Yoga;
  readonly #authenticator: Authenticator;
  readonly #shown: (error: unknown) => Error;
  readonly #onError: (error: unknown) => void;
  readonly #streams = new Map<string, ReservedStream>();
  /** By the request that reserved it. */
  readonly #reserved = new WeakMap<object, ReservedStream>();
  readonly #handle: Handler<Raw, unknown>;

  constructor(options: { yoga: Yoga; authenticator: Authenticator; events: SharedResults; log: Logger }) {
    const { yoga, authenticator, events, log } = options;
    this.#yoga = yoga;
    this.#authenticator = authenticator;
    this.#shown = maskError(log);
    this.#onError = (error) => log.error({ err: error }, 'event stream');
    this.#handle = createHandler<Raw, unknown, Context>({
      ...executorsWith(events),
      // `#operation` has validated it, by more rules than the library knows.
      validate: () => [],
      authenticate: (request) => this.#tokenFor(request),
      onSubscribe: (request, params) => this.#operation(request, params),
      // The library would end the stream, and with it all other operations.
      onOperation: (_ctx, _request, _args, result) =>
        Symbol.asyncIterator in result
          ? withErrorResults(result as AsyncIterable<ExecutionResult>, this.#shown)
          : undefined,
      onNext: async (_ctx, request) => void (await this.#streamOf(request)?.sendLock.acquire()),
      onComplete: (_ctx, request) => void this.#streamOf(request)?.answers.delete(request),
    });
  }

  /** How many are reserved or open. */
  get count(): number {
    return this.#streams.size;
  }

  /** Whether a request is about a stream. A token in the address that is of none says nothing. */
  concerns({ method, headers, url = '' }: IncomingMessage): boolean {
    return method === 'PUT' || tokenHeader in headers || this.#streams.has(tokenInAddress(url) ?? '');
  }

  /** Answers a request of the protocol. `body`: what a POST brought. */
  async serve(request: IncomingMessage, response: ServerResponse, body: string | null): Promise<void> {
    const asked = sseRequest(request, { request, body });
    const [answer, { status, statusText, headers }] = await this.#handle(asked);
    const stream = this.#streamOf(asked);
    // What was not taken is not answered on the stream.
    if (status !== 202) stream?.answers.delete(asked);
    else if (request.method === 'POST') stream?.countOperation();
    if (status !== 201) this.#reserved.get(asked)?.closed.abort();
    response.writeHead(status, statusText, { ...headers, 'x-accel-buffering': 'no' });
    if (answer === null || typeof answer === 'string') response.end(answer);
    else await stream?.send(answer, response, this.#onError);
  }

  /** The token of a request, or the answer that refuses it. */
  async #tokenFor(request: SseRequest): Promise<string | Response> {
    try {
      if (request.method === 'PUT') return (await this.#reserve(request)).token;
      const stream = this.#streamOf(request);
      if (!stream) return refuse(404, 'This stream is not there: reserve one with PUT');
      // Opening it and ending an operation take the token alone; whatever else is sent with it is an operation.
      const isOpening = request.method === 'GET' && request.headers.get('accept') === 'text/event-stream';
      if (isOpening || request.method === 'DELETE') return stream.token;
      if (!(await this.#open(request)).isOfSame(stream.session)) return refuse(403, 'This stream is of somebody else');
      if (stream.answers.size < maxAnswers) return stream.token;
      throw new RateLimitedError(`${maxAnswers} answers wait on this stream, the limit. Read them first.`);
    } catch (error) {
      return this.#refusal(error);
    }
  }

  #streamOf({ raw }: SseRequest): ReservedStream | undefined {
    return this.#streams.get(tokenOf(raw.request) ?? '');
  }

  #open({ raw: { request } }: SseRequest): Promise<Session> {
    return this.#authenticator.open(
      credentialIn(
        request.headers.authorization ?? null,
        workspaceIn((name) => request.headers[name] as string | undefined),
      ),
    );
  }

  async #reserve(request: SseRequest): Promise<ReservedStream> {
    const session = await this.#open(request);
    const { revoked, release } = session.watch('socket');
    const stream = new ReservedStream(session);
    this.#streams.set(stream.token, stream);
    this.#reserved.set(request, stream);
    const forget = () => this.#forget(stream).catch(this.#onError);
    const late = setTimeout(forget, openWithinMs).unref();
    // Its operations hear why they end before it closes; one that nobody has opened is forgotten.
    revoked.addEventListener('abort', () =>
      stream.closeWhenQuiet(() => void forget().then(() => stream.closed.abort())),
    );
    stream.closed.signal.addEventListener('abort', () => {
      clearTimeout(late);
      release();
      this.#streams.delete(stream.token);
    });
    return stream;
  }

  /** The library forgets a stream only when it closes: opens one that nobody came for, and closes it. */
  async #forget(stream: ReservedStream): Promise<void> {
    const headers = { accept: 'text/event-stream', [tokenHeader]: stream.token };
    const request = { method: 'GET', url: '/graphql', headers } as unknown as IncomingMessage;
    const [body, { status }] = await this.#handle(sseRequest(request, { request, body: null }));
    // It has been opened after all.
    if (status === 409) return;
    if (body !== null && typeof body !== 'string') await body.return();
    stream.sendLock.open();
    stream.closed.abort();
  }

  /** What an operation executes with, or the errors that are its answer. */
  async #operation(request: SseRequest, params: RequestParams) {
    try {
      const session = await this.#open(request);
      const stream = this.#streamOf(request);
      const gone = stream?.closed.signal ?? AbortSignal.abort();
      const found = await operationOf(this.#yoga, session, gone, params as { query: string });
      if (isErrors(found)) return errorResult(found);
      if (getOperationAST(found.document, found.operationName)?.operation !== 'subscription')
        stream?.answers.add(request);
      return found as OperationArgs<Context>;
    } catch (error) {
      return errorResult([this.#shown(refusedRequest(error)) as GraphQLError]);
    }
  }

  #refusal(error: unknown): Response {
    if (!(error instanceof DomainError)) throw error;
    const { message, extensions } = refusedRequest(error) as GraphQLError;
    const { http, ...shown } = extensions as { http: { status: number } };
    return refuse(http.status, message, shown);
  }
}

const isErrors = (found: object): found is readonly GraphQLError[] => Array.isArray(found);

function refuse(status: number, message: string, extensions?: object): Response {
  const body = JSON.stringify({ errors: [{ message, ...(extensions && { extensions }) }] });
  return [body, { status, statusText: '', headers: { 'content-type': 'application/json; charset=utf-8' } }];
}

function sseRequest(request: IncomingMessage, raw: Raw): SseRequest {
  const get = (name: string) => request.headers[name] as string | undefined;
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers: { get: (name) => get(name.toLowerCase()) },
    body: raw.body,
    raw,
    context: undefined,
  };
}
