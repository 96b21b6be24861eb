import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { createHandler, type Handler, type OperationArgs, type RequestParams, type Response } from 'graphql-sse';
import type { FairTurns } from '../../async/fair-turns.ts';
import type { Timing } from '../../config/timing.ts';
import { RateLimitedError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { holderOf } from '../session/holder.ts';
import { requestCredential } from '../session/request-credential.ts';
import { errorResponse, requestError } from '../session/request-error.ts';
import type { Session } from '../session/session.ts';
import type { TrustedProxies } from '../trusted-proxies.ts';
import { Answer } from '../yoga/answer.ts';
import type { Answers } from '../yoga/answers.ts';
import { executors, isSubscription, type OperationParams, sessionOperation } from '../yoga/execute-operation.ts';
import type { SharedResults } from '../yoga/shared-results.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import type { Yoga } from '../yoga/yoga.ts';
import { errorResult, withErrorResults } from './error-results.ts';
import { ReservedStream } from './reserved-stream.ts';
import {
  hasTokenHeader,
  jsonResponse,
  messageResponse,
  openingRequest,
  type RawRequest,
  type SseRequest,
  sseRequest,
  tokenInUrl,
  tokenOf,
} from './sse-request.ts';

type Context = Record<PropertyKey, unknown>;

/**
 * The single connection mode of the GraphQL over SSE protocol, on /graphql: PUT reserves a stream and responds with its
 * token, GET opens the stream, POST with the token starts an operation whose results come on the stream, DELETE ends one.
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
 * The token opens the stream; each operation needs a credential of the actor that reserved it. Yoga serves the distinct
 * connections mode.
 */
export class EventStreams {
  readonly #yoga: Yoga;
  readonly #turns: FairTurns;
  readonly #authenticator: Authenticator;
  readonly #proxies: TrustedProxies;
  readonly #answers: Answers;
  readonly #timing: Timing['socket'];
  readonly #mask: (error: unknown) => Error;
  readonly #onError: (error: unknown) => void;
  readonly #streams = new Map<string, ReservedStream>();
  /** By the request that reserved it. */
  readonly #reserved = new WeakMap<object, ReservedStream>();
  readonly #handle: Handler<RawRequest, unknown>;

  constructor(options: {
    yoga: Yoga;
    turns: FairTurns;
    authenticator: Authenticator;
    proxies: TrustedProxies;
    results: SharedResults;
    answers: Answers;
    log: Logger;
    timing: Timing['socket'];
  }) {
    const { log } = options;
    this.#yoga = options.yoga;
    this.#turns = options.turns;
    this.#authenticator = options.authenticator;
    this.#proxies = options.proxies;
    this.#answers = options.answers;
    this.#timing = options.timing;
    this.#mask = maskError(log);
    this.#onError = (error) => log.error({ err: error }, 'event stream failed');
    this.#handle = createHandler<RawRequest, unknown, Context>({
      ...executors(options.results),
      // `prepareOperation` has validated it, with more rules than the library.
      validate: () => [],
      authenticate: (request) => this.#authorize(request),
      onSubscribe: (request, params) => this.#prepare(request, params as OperationParams & RequestParams),
      // Without this, an error of one operation would end the stream and all other operations.
      onOperation: (_ctx, _request, _args, result) =>
        Symbol.asyncIterator in result
          ? withErrorResults(result as AsyncIterable<ExecutionResult>, this.#mask)
          : undefined,
      onNext: async (_ctx, request) => void (await this.#streamOf(request)?.beforeResult(request)),
      onComplete: (_ctx, request) => this.#streamOf(request)?.complete(request),
    });
  }

  /** Whether a request belongs to this protocol. An unknown token in the URL does not make it so: others use the name. */
  handles(request: IncomingMessage): boolean {
    return request.method === 'PUT' || hasTokenHeader(request) || this.#streams.has(tokenInUrl(request) ?? '');
  }

  /** Serves a request of the protocol. `body`: of a POST. */
  async serve(request: IncomingMessage, response: ServerResponse, body: string | null): Promise<void> {
    const sse = sseRequest({ request, body });
    const [events, { status, statusText, headers }] = await this.#handle(sse);
    const stream = this.#streamOf(sse);
    // Only an accepted operation has a result on the stream.
    if (status !== 202) stream?.complete(sse);
    else if (request.method === 'POST') stream?.countOperation();
    if (status !== 201) this.#reserved.get(sse)?.closed.abort();
    response.writeHead(status, statusText, { ...headers, 'x-accel-buffering': 'no' });
    if (events === null || typeof events === 'string') response.end(events);
    else await stream?.send(events, response, this.#onError);
  }

  /** The token of the stream that a request may use, or the response that refuses it. */
  async #authorize(request: SseRequest): Promise<string | Response> {
    try {
      if (request.method === 'PUT') return (await this.#reserve(request)).token;
      const stream = this.#streamOf(request);
      if (!stream) return messageResponse(404, 'There is no stream with this token. Reserve one with PUT.');
      // The token suffices to open the stream and to end an operation. Any other request starts an operation.
      const isOpening = request.method === 'GET' && request.headers.get('accept') === 'text/event-stream';
      if (isOpening || request.method === 'DELETE') return stream.token;
      const session = await this.#openSession(request);
      if (!session.hasSamePrincipal(stream.session)) {
        return messageResponse(403, 'Another actor or workspace has reserved this stream.');
      }
      const { streamResults: limit } = serverLimits;
      if (stream.results.size < limit) return stream.token;
      throw new RateLimitedError(`${limit} results wait on this stream, which is the limit. Read them first.`);
    } catch (error) {
      const { status, headers, body } = errorResponse(error, this.#mask);
      return jsonResponse(status, body, headers);
    }
  }

  #streamOf({ raw }: SseRequest): ReservedStream | undefined {
    return this.#streams.get(tokenOf(raw.request) ?? '');
  }

  #openSession({ raw: { request } }: SseRequest): Promise<Session> {
    return this.#authenticator.open(requestCredential(request));
  }

  async #reserve(request: SseRequest): Promise<ReservedStream> {
    const session = await this.#openSession(request);
    const { revoked, release } = session.watch('socket');
    const stream = new ReservedStream(session);
    this.#streams.set(stream.token, stream);
    this.#reserved.set(request, stream);
    const discard = () => this.#discard(stream).catch(this.#onError);
    const timer = setTimeout(discard, this.#timing.openStreamMs).unref();
    // Its operations send the reason of their end before the stream closes; a stream that is not open is discarded.
    revoked.addEventListener('abort', () =>
      stream.closeWhenIdle(() => void discard().then(() => stream.closed.abort()), this.#timing.finalMessageMs),
    );
    stream.closed.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      release();
      this.#streams.delete(stream.token);
    });
    return stream;
  }

  /** Closes a stream that its client has not opened. The library drops a stream only on close, so this opens it first. */
  async #discard(stream: ReservedStream): Promise<void> {
    const [events, { status }] = await this.#handle(openingRequest(stream.token));
    const isOpen = status === 409;
    if (isOpen) return;
    if (events !== null && typeof events !== 'string') await events.return();
    stream.sendLock.open();
    stream.closed.abort();
  }

  /** The arguments to execute an operation with, or a result stream with the errors that refuse it. */
  async #prepare(
    request: SseRequest,
    params: OperationParams,
  ): Promise<OperationArgs<Context> | AsyncGenerator<ExecutionResult>> {
    try {
      const session = await this.#openSession(request);
      const stream = this.#streamOf(request);
      const disconnected = stream?.closed.signal ?? AbortSignal.abort();
      const answer = new Answer(this.#answers);
      const origin = this.#proxies.originOf(request.raw.request);
      await this.#turns.of(holderOf(session.context).name).queue();
      const args = await sessionOperation(this.#yoga, session, { disconnected, answer, origin }, params);
      if (!('document' in args)) return errorResult(args);
      if (!isSubscription(args)) stream?.expectResult(request, answer);
      return args as ExecutionArgs & OperationArgs<Context>;
    } catch (error) {
      return errorResult([this.#mask(requestError(error)) as GraphQLError]);
    }
  }
}
