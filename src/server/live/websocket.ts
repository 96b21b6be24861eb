import type { Server } from 'node:http';
import { GraphQLError } from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocket } from 'ws';
import type { FairTurns } from '../../async/fair-turns.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import { DomainError, RateLimitedError, UnavailableError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { holderOf } from '../session/holder.ts';
import { paramsCredential } from '../session/request-credential.ts';
import { requestError } from '../session/request-error.ts';
import type { TrustedProxies } from '../trusted-proxies.ts';
import { Answer } from '../yoga/answer.ts';
import type { Answers } from '../yoga/answers.ts';
import { executors, sessionOperation } from '../yoga/execute-operation.ts';
import type { SharedResults } from '../yoga/shared-results.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import type { Yoga } from '../yoga/yoga.ts';
import { type AcceptOptions, acceptSockets } from './accept-sockets.ts';
import type { ClientSocket } from './client-socket.ts';
import { closeCode } from './close-code.ts';
import { SocketSession } from './socket-session.ts';

interface WebSocketOptions extends AcceptOptions {
  yoga: Yoga;
  turns: FairTurns;
  authenticator: Authenticator;
  proxies: TrustedProxies;
  results: SharedResults;
  answers: Answers;
  log: Logger;
}

type Params = Record<string, unknown>;
/** `session`: from the first message on. */
type State = Extra & { session?: SocketSession };
type Handlers = ServerOptions<Params, State>;

/** The result of an operation that arrives after the server has begun to close the socket. */
const closing = new GraphQLError('This socket is being closed.', { extensions: { code: 'UNAUTHENTICATED' } });

/**
 * Serves GraphQL over WebSocket (graphql-transport-ws) on /graphql. A socket authenticates with
 * `connectionParams.authorization` (and `workspace`), or with `extensions.headers` of its first operation, as GraphiQL
 * does; `extensions.headers` of a later operation renew the credential. The server closes a socket with 4403 when its
 * credential is refused or ends, and with 1013 when the database has been away for long. `close` resolves when all sockets are
 * closed.
 */
export function serveWebSocket(server: Server, options: WebSocketOptions): { close(): Promise<void> } {
  const sockets = acceptSockets(server, options);
  const handlers: Handlers = {
    ...executors(options.results),
    onConnect: connectionHandler(options),
    onSubscribe: operationHandler(options),
    // Further events of a subscription are joined or stay in its feed until the buffer has room.
    onNext: ({ extra }) => socketOf(extra).whenWritable(),
    onComplete: ({ extra }, _id, payload) => socketOf(extra).operations.end(payload),
  };
  // `isProd`: close reasons must not contain internal errors. Keep-alive is off (0), because `watchSocket` does it with
  // more patience: graphql-ws would terminate a client after one missed pong.
  const graph = useServer<Params, { session: SocketSession }>({ ...handlers, isProd: true }, sockets, 0);
  const close = async () => {
    const timer = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
    }, options.timing.closeMs);
    await graph.dispose();
    clearTimeout(timer);
  };
  return { close };
}

const socketOf = (extra: Extra) => extra.socket as ClientSocket;

/**
 * Closes a socket with its own code if its actor has too many, or if the server is unavailable. Returns false, for which graphql-ws
 * closes with 4403.
 */
function refuseSocket(socket: WebSocket, error: DomainError): false {
  if (error instanceof UnavailableError) socket.close(closeCode.unavailable, 'Unavailable');
  if (error instanceof RateLimitedError) socket.close(closeCode.tooMany, 'Too many sockets');
  return false;
}

function connectionHandler({ authenticator, timing, log }: WebSocketOptions): NonNullable<Handlers['onConnect']> {
  return async ({ connectionParams, extra }) => {
    const session = new SocketSession(socketOf(extra), authenticator);
    extra.session = session;
    const credential = paramsCredential(connectionParams);
    if (credential.secret === null) {
      session.expectCredential(timing.credentialMs);
      return true;
    }
    try {
      await session.open(credential);
      return true;
    } catch (error) {
      if (isUnavailable(error)) return refuseSocket(extra.socket, new UnavailableError());
      if (error instanceof DomainError) return refuseSocket(extra.socket, error);
      log.error({ err: error }, 'socket authentication failed');
      throw error;
    }
  };
}

/** Frees what a client may have added to an operation: the payload stays in memory until its operation has ended. */
function dropUnused(payload: object): void {
  for (const name of Object.keys(payload)) {
    if (!['query', 'operationName', 'variables'].includes(name)) Reflect.deleteProperty(payload, name);
  }
}

function operationHandler({
  yoga,
  turns,
  proxies,
  answers,
  log,
}: WebSocketOptions): NonNullable<Handlers['onSubscribe']> {
  const mask = maskError(log);
  return async ({ extra }, id, payload) => {
    const socket = socketOf(extra);
    const session = extra.session as SocketSession;
    const { operations } = socket;
    if (operations.has(id)) socket.close(closeCode.idTaken, 'Subscriber already exists');
    if (socket.readyState !== WebSocket.OPEN) return [closing];
    const answer = new Answer(answers);
    operations.begin(id, payload, answer);
    try {
      operations.requireRoom();
      const credential = paramsCredential(payload.extensions ?? undefined);
      dropUnused(payload);
      const opened = await session.forOperation(credential);
      const turn = turns.of(holderOf(opened.context).name).wait();
      if (turn) await socket.pauseUntil(turn);
      const about = { disconnected: session.closed, answer, origin: proxies.originOf(extra.request) };
      const args = await sessionOperation(yoga, opened, about, payload);
      if ('document' in args) operations.expectResult(payload, args);
      else operations.end(payload);
      return args;
    } catch (error) {
      operations.end(payload);
      const isFinal = error instanceof RateLimitedError || error instanceof UnavailableError;
      if (!session.isOpen && isFinal) refuseSocket(socket, error);
      return [mask(requestError(error)) as GraphQLError];
    }
  };
}
