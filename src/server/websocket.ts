import type { Server } from 'node:http';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { DomainContext } from '../domain/context.ts';
import { graphContext } from '../graphql/context.ts';
import type { Logger } from '../log.ts';
import type { Authenticator } from './authenticate.ts';
import type { Yoga } from './yoga.ts';

/** How often a socket is asked whether it is still there; one that has not answered by the next time is closed. */
const pingEveryMs = 12_000;

/** The first text that `params` or the headers in it hold under a name, whatever its case. GraphiQL sends headers. */
function param(params: Record<string, unknown> | undefined, ...names: string[]): string | null {
  const headers = (params?.headers ?? {}) as Record<string, unknown>;
  const all = [...Object.entries(params ?? {}), ...Object.entries(headers)];
  const found = names.map(
    (name) => all.find(([key, value]) => key.toLowerCase() === name && typeof value === 'string')?.[1],
  );
  return (found.find((value) => value !== undefined) as string | undefined) ?? null;
}

/** What a socket carries from its first message on. */
interface SocketState extends Record<PropertyKey, unknown> {
  /** Who sits at the other end. */
  context: DomainContext;
  /** Aborted when the socket closes. */
  closed: AbortController;
}

/** Yoga's own functions travel with an operation, because their plugins are bound to its context. */
type Executors = { execute: (args: ExecutionArgs) => never; subscribe: (args: ExecutionArgs) => never };

/**
 * GraphQL over WebSocket (the graphql-transport-ws protocol) on the same path as over HTTP. A socket authenticates once,
 * with `connectionParams.authorization` (and `workspace`), and is refused with 4403 when that is not good.
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
        const credentials = {
          authorization: param(connectionParams, 'authorization'),
          workspace: param(connectionParams, 'workspace', 'x-workspace', 'x-dashscope-workspace'),
        };
        try {
          extra.context = await authenticator.context(credentials);
          extra.closed = new AbortController();
          return true;
        } catch (error) {
          if (!(error instanceof GraphQLError)) log.error({ error }, 'socket could not be authenticated');
          return false;
        }
      },
      onSubscribe: async ({ extra }, _id, payload) => operationOf(yoga, extra as SocketState, payload),
      onDisconnect: ({ extra }) => extra.closed?.abort(),
    },
    sockets,
    pingEveryMs,
  );
  return { close: async () => graph.dispose() };
}

/** What an operation executes with, or the errors for which it is refused. */
async function operationOf(yoga: Yoga, { context, closed }: SocketState, payload: SubscribePayload) {
  const socket = graphContext(context, closed.signal);
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
