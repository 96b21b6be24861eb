import type { IncomingMessage, Server } from 'node:http';
import type { GraphQLError } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocket, WebSocketServer } from 'ws';
import type { Credential } from '../domain/credential.ts';
import { DomainError, RateLimitedError } from '../domain/error.ts';
import type { Logger } from '../log.ts';
import { type Authenticator, credentialIn, refusedRequest } from './authenticate.ts';
import { closeCode } from './close-code.ts';
import { type LivenessLimits, watchSocket } from './liveness.ts';
import { executorsWith, operationOf } from './operation.ts';
import type { Origins } from './origin.ts';
import { Pace } from './pace.ts';
import type { Session } from './session.ts';
import type { SharedEvents } from './shared-events.ts';
import { maskError } from './use-error-codes.ts';
import type { Yoga } from './yoga.ts';

/** How many operations of one socket may be under way, queries and mutations among them. */
const maxOperations = 1000;
const tooManyOperations = `This socket has ${maxOperations} operations under way, the limit. Wait until some of them end.`;
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

/** A client may go while something is being sent to it: that it is gone is heard as such, and nothing went wrong. */
class LeavableSocket extends WebSocket {
  override send(data: unknown, ...rest: unknown[]): void {
    const done = rest.pop() as () => void;
    super.send(data as string, () => done());
  }
}

/** What a socket carries from its first message on. */
interface SocketState extends Record<PropertyKey, unknown> {
  /** Who sits at the other end; absent until it has said so. */
  session?: Session;
  /** While somebody finds out who it is. */
  entering?: Promise<unknown>;
  /** Aborted when the socket closes. */
  closed: AbortController;
  /** How many operations are under way. */
  operations: () => number;
  pace: Pace;
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
  state.session = session;
  const { lost, release } = session.watch('socket');
  if (state.closed.signal.aborted) {
    release();
    return session;
  }
  state.closed.signal.addEventListener('abort', release);
  lost.addEventListener('abort', () => {
    const { message } = lost.reason as Error;
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
    events: SharedEvents;
    origins: Origins;
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
    WebSocket: LeavableSocket,
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
  const graph = useServer<Record<string, unknown>, SocketState>(
    {
      ...executorsWith(options.events),
      onConnect: async ({ connectionParams, extra, subscriptions }) => {
        const state = extra as SocketState & Extra;
        state.closed = new AbortController();
        state.operations = () => Object.keys(subscriptions).length;
        const { socket: stream } = extra.request;
        state.pace = new Pace(extra.socket, stream);
        watchSocket(extra.socket, stream, () => state.operations() === 0, options.liveness);
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
          if (error instanceof RateLimitedError) extra.socket.close(closeCode.tooMany, 'Too many sockets');
          if (error instanceof DomainError) return false;
          log.error({ err: error }, 'socket could not be authenticated');
          throw error;
        }
      },
      onSubscribe: async ({ extra }, _id, payload) => {
        const state = extra as SocketState & Extra;
        try {
          if (state.operations() > maxOperations) throw new RateLimitedError(tooManyOperations);
          const credential = credentialOf(payload.extensions ?? undefined);
          const session = await sessionOf(state, authenticator, credential);
          return await operationOf(yoga, session, state.closed.signal, payload);
        } catch (error) {
          return [shown(refusedRequest(error)) as GraphQLError];
        }
      },
      // Waits until there is room: what comes meanwhile joins what is not told yet.
      onNext: ({ extra }) => extra.pace?.ready(),
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
