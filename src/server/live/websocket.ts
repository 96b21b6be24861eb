import type { IncomingMessage, Server } from 'node:http';
import { type ExecutionArgs, GraphQLError, getOperationAST } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import type { Credential } from '../../domain/access/credential.ts';
import { DomainError, RateLimitedError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import type { Cors } from '../http/cors.ts';
import { type Authenticator, credentialIn, refusedRequest } from '../session/authenticate.ts';
import type { Session } from '../session/session.ts';
import { maskError } from '../yoga/use-error-codes.ts';
import type { Yoga } from '../yoga/yoga.ts';
import { ClientSocket } from './client-socket.ts';
import { closeCode } from './close-code.ts';
import type { LivenessLimits } from './liveness.ts';
import { executorsWith, operationOf } from './operation.ts';
import type { SharedResults } from './shared-results.ts';

/** How many operations of one socket may be under way, and how many of them queries and mutations, whose answers may be large. */
const limits = { all: 1000, answers: 100 };
const tooMany = (limit: number) =>
  new RateLimitedError(`This socket has ${limit} operations under way, the limit. Wait until some of them end.`);
const credentialWithinMs = 10_000;
const answerCloseWithinMs = 1000;
/** Open operations hear why they end before the socket is closed. */
const closeAfterMs = 100;

/** What `params`, or the `headers` in them, say of who is there, whatever the case of the names. */
function credentialOf(params: Record<string, unknown> | undefined): Credential {
  const headers = (params?.headers ?? {}) as Record<string, unknown>;
  const all = [...Object.entries(params ?? {}), ...Object.entries(headers)];
  const find = (...names: string[]) => {
    const [, value] = all.find(([key, value]) => names.includes(key.toLowerCase()) && typeof value === 'string') ?? [];
    return (value as string | undefined) ?? null;
  };
  return credentialIn(find('authorization'), find('workspace', 'x-workspace', 'x-dashscope-workspace'));
}

/** What a socket carries from its first message on. */
interface SocketState extends Record<PropertyKey, unknown> {
  /** Who sits at the other end; absent until it has said so. */
  session?: Session;
  /** While somebody finds out who it is. */
  entering?: Promise<unknown>;
  /** Aborted when the socket closes. */
  closed: AbortController;
  /** The queries and mutations that are under way, as they were sent. */
  answers: Set<object>;
  /** All operations that are under way, as they were sent, with their ids. */
  begun: Map<object, string>;
  /** Their ids. */
  ids: Set<string>;
}

/** Closes a socket that has not said who it is in time. */
function expectCredential(state: SocketState & Extra): void {
  const timer = setTimeout(() => {
    if (!state.session) state.socket.close(closeCode.unauthorized, 'Unauthorized');
  }, credentialWithinMs);
  state.closed.signal.addEventListener('abort', () => clearTimeout(timer));
}

/** Opens the session of a socket, which is closed when its credential is no longer good. */
async function enter(
  state: SocketState & Extra,
  authenticator: Authenticator,
  credential: Credential,
): Promise<Session> {
  const session = await authenticator.open(credential);
  const { revoked, release } = session.watch('socket');
  state.session = session;
  if (state.closed.signal.aborted) {
    release();
    return session;
  }
  state.closed.signal.addEventListener('abort', release);
  revoked.addEventListener('abort', () => {
    const { message } = revoked.reason as Error;
    setTimeout(() => state.socket.close(closeCode.forbidden, message), closeAfterMs);
  });
  return session;
}

/** The session of an operation: the one that the socket has, renewed when the operation brings a credential. */
async function sessionOf(
  state: SocketState & Extra,
  authenticator: Authenticator,
  credential: Credential,
): Promise<Session> {
  // Of several first operations at once, one opens the session; when it is refused, the next one may.
  while (state.entering) await state.entering.catch(() => {});
  if (state.session) {
    if (credential.secret !== null) await state.session.renew(credential);
    return state.session;
  }
  const entering = enter(state, authenticator, credential);
  state.entering = entering;
  try {
    return await entering;
  } finally {
    state.entering = undefined;
  }
}

/** The answer to what a client sends after it has been sent away, should it still read. */
const closing = new GraphQLError('This socket is being closed.', { extensions: { code: 'UNAUTHENTICATED' } });

/**
 * Counts an operation, as it was sent, until `end`. False: it is not to be done, because its client has been sent away, or is now:
 * graphql-ws forgets an id when its client ends the operation, which may take a moment longer, or not have begun yet.
 */
function begin({ begun, ids, socket }: SocketState & Extra, id: string, payload: object): boolean {
  if (ids.has(id)) socket.close(closeCode.idTaken, 'Subscriber already exists');
  if (socket.readyState !== WebSocket.OPEN) return false;
  begun.set(payload, id);
  ids.add(id);
  (socket as ClientSocket).begin();
  return true;
}

function end({ begun, ids, answers, socket }: SocketState & Extra, payload: object): void {
  const id = begun.get(payload);
  if (id === undefined) return;
  begun.delete(payload);
  ids.delete(id);
  answers.delete(payload);
  (socket as ClientSocket).end();
}

/** Counts an operation that is answered at once, and maybe at length. Throws when there are too many. */
function expectAnswer({ answers }: SocketState, payload: object, { document, operationName }: ExecutionArgs): void {
  if (getOperationAST(document, operationName)?.operation === 'subscription') return;
  if (answers.size >= limits.answers) throw tooMany(limits.answers);
  answers.add(payload);
}

/** Closes a socket whose client may not come in; returns what graphql-ws makes 4403 of where nothing else fits better. */
function turnAway(socket: WebSocket, error: DomainError): false {
  if (error instanceof RateLimitedError) socket.close(closeCode.tooMany, 'Too many sockets');
  return false;
}

/**
 * GraphQL over WebSocket (the graphql-transport-ws protocol) on the same path as over HTTP. A socket says who it is
 * with `connectionParams.authorization` (and `workspace`), or with `extensions.headers` of its first operation, as
 * GraphiQL does; the `extensions.headers` of a later one renew it. It is closed with 4403 when its credential is not good,
 * or ends.
 */
export function serveWebSocket(
  server: Server,
  options: {
    yoga: Yoga;
    authenticator: Authenticator;
    events: SharedResults;
    origins: Cors;
    log: Logger;
    maxPayloadBytes: number;
    liveness: LivenessLimits;
  },
): { close(): Promise<void> } {
  const { yoga, authenticator, origins, log } = options;
  const shown = maskError(log);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxPayloadBytes,
    WebSocket: ClientSocket,
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    // Node has let go of the socket: without a listener, a reset would end the process.
    socket.on('error', () => socket.destroy());
    const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\n\r\n`, () => socket.destroy());
    const [path] = (request.url ?? '/').split('?', 1);
    if (path !== '/graphql') return refuse('404 Not Found');
    if (!origins.allows(request)) return refuse('403 Forbidden');
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  });
  sockets.on('connection', (socket, request) => socket.attend(request.socket, options.liveness));
  const graph = useServer<Record<string, unknown>, SocketState>(
    {
      ...executorsWith(options.events),
      onConnect: async ({ connectionParams, extra }) => {
        const state = extra as SocketState & Extra;
        state.closed = new AbortController();
        state.begun = new Map();
        state.ids = new Set();
        state.answers = new Set();
        // Also when it closes before it has been acknowledged.
        extra.socket.once('close', () => state.closed.abort());
        const credential = credentialOf(connectionParams);
        if (credential.secret === null) {
          expectCredential(state);
          return true;
        }
        try {
          await enter(state, authenticator, credential);
          return true;
        } catch (error) {
          if (error instanceof DomainError) return turnAway(extra.socket, error);
          log.error({ err: error }, 'socket could not be authenticated');
          throw error;
        }
      },
      onSubscribe: async ({ extra }, id, payload) => {
        const state = extra as SocketState & Extra;
        if (!begin(state, id, payload)) return [closing];
        try {
          if (state.begun.size > limits.all) throw tooMany(limits.all);
          const credential = credentialOf(payload.extensions ?? undefined);
          const session = await sessionOf(state, authenticator, credential);
          const found = await operationOf(yoga, session, state.closed.signal, payload);
          if ('document' in found) expectAnswer(state, payload, found);
          else end(state, payload);
          return found;
        } catch (error) {
          end(state, payload);
          if (!state.session && error instanceof RateLimitedError) turnAway(state.socket, error);
          return [shown(refusedRequest(error)) as GraphQLError];
        }
      },
      // Waits until there is room: what comes meanwhile joins what is not told yet.
      onNext: ({ extra }) => (extra.socket as ClientSocket).ready(),
      onComplete: ({ extra }, _id, payload) => end(extra as SocketState & Extra, payload),
      onDisconnect: ({ extra }) => extra.closed?.abort(),
      // What goes wrong in here is for the log, not for close reasons.
      isProd: true,
    },
    sockets,
    // It would give up a client that does not answer within seconds: `watchSocket` knows better.
    0,
  );
  const close = async () => {
    // Whoever does not answer the closing in time is cut off: others wait for this.
    const cut = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate();
    }, answerCloseWithinMs);
    await graph.dispose();
    clearTimeout(cut);
  };
  return { close };
}
