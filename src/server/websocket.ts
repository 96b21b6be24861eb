import type { Server } from 'node:http';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { DomainContext } from '../domain/context.ts';
import { graphContext } from '../graphql/context.ts';
import type { Logger } from '../log.ts';
import { type Authenticator, type Credentials, hasSecret } from './authenticate.ts';
import type { Yoga } from './yoga.ts';

/** How often a socket is asked whether it is still there; one that has not answered by the next time is closed. */
const pingEveryMs = 12_000;

/** The code with which a socket is closed that never said who it is, as the protocol has it. */
const unauthorized = 4401;
const credentialsWithinMs = 10_000;

/** What `params`, or the `headers` in them, say of who is there, whatever the case of the names. */
function credentialsIn(params: Record<string, unknown> | undefined): Credentials {
  const headers = (params?.headers ?? {}) as Record<string, unknown>;
  const all = [...Object.entries(params ?? {}), ...Object.entries(headers)];
  const find = (...names: string[]) => {
    const [, value] = all.find(([key, value]) => names.includes(key.toLowerCase()) && typeof value === 'string') ?? [];
    return (value as string | undefined) ?? null;
  };
  return {
    authorization: find('authorization'),
    workspace: find('workspace', 'x-workspace', 'x-dashscope-workspace'),
  };
}

/** Lets a socket in that has not said who it is, for its first operation to say so; closes it when none does in time. */
function expectCredentials(extra: SocketState & Extra): true {
  const timer = setTimeout(() => {
    if (!extra.context) extra.socket.close(unauthorized, 'Unauthorized');
  }, credentialsWithinMs);
  extra.closed.signal.addEventListener('abort', () => clearTimeout(timer));
  return true;
}

/** What a socket carries from its first message on. */
interface SocketState extends Record<PropertyKey, unknown> {
  /** Who sits at the other end; absent until it has said so. */
  context?: DomainContext;
  /** Aborted when the socket closes. */
  closed: AbortController;
}

/** Yoga's own functions travel with an operation, because their plugins are bound to its context. */
type Executors = { execute: (args: ExecutionArgs) => never; subscribe: (args: ExecutionArgs) => never };

/**
 * GraphQL over WebSocket (the graphql-transport-ws protocol) on the same path as over HTTP. A socket authenticates once:
 * with `connectionParams.authorization` (and `workspace`), or with `extensions.headers` of its first operation, as
 * GraphiQL does. It is refused with 4403 when that is not good.
 */
export function serveWebSocket(
  server: Server,
  options: { yoga: Yoga; authenticator: Authenticator; log: Logger; maxPayloadBytes: number },
): { close(): Promise<void> } {
  const { yoga, authenticator, log } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: options.maxPayloadBytes });
  server.on('upgrade', (request, socket, head) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/graphql') return socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  });
  const graph = useServer<Record<string, unknown>, SocketState>(
    {
      execute: (args) => (args.rootValue as Executors).execute(args),
      subscribe: (args) => (args.rootValue as Executors).subscribe(args),
      onConnect: async ({ connectionParams, extra }) => {
        extra.closed = new AbortController();
        const credentials = credentialsIn(connectionParams);
        if (!hasSecret(credentials.authorization)) return expectCredentials(extra as SocketState & Extra);
        try {
          extra.context = await authenticator.context(credentials);
          return true;
        } catch (error) {
          if (!(error instanceof GraphQLError)) log.error({ err: error }, 'socket could not be authenticated');
          return false;
        }
      },
      onSubscribe: async ({ extra }, _id, payload) => {
        const state = extra as SocketState;
        try {
          state.context ??= await authenticator.context(credentialsIn(payload.extensions ?? undefined));
        } catch (error) {
          if (error instanceof GraphQLError) return [error];
          throw error;
        }
        return operationOf(yoga, state.context, state.closed.signal, payload);
      },
      onDisconnect: ({ extra }) => extra.closed?.abort(),
    },
    sockets,
    pingEveryMs,
  );
  return { close: async () => graph.dispose() };
}

/** What an operation executes with, or the errors for which it is refused. */
async function operationOf(yoga: Yoga, context: DomainContext, closed: AbortSignal, payload: SubscribePayload) {
  const socket = graphContext(context, closed);
  const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({ socket } as never);
  try {
    const document = parse(payload.query);
    const errors = validate(schema, document);
    if (errors.length > 0) return errors;
    const { operationName, variables: variableValues } = payload;
    const contextValue = await contextFactory();
    return { schema, operationName, document, variableValues, contextValue, rootValue: { execute, subscribe } };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}
