import { useDeferStream } from '@graphql-yoga/plugin-defer-stream';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import type { GraphQLSchema } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { type GraphContext, graphContext } from '../../graphql/context.ts';
import type { Logger } from '../../log.ts';
import { graphiql } from '../http/graphiql.ts';
import type { MultipartOperation } from '../http/multipart.ts';
import type { SharedResults } from '../live/shared-results.ts';
import { type Authenticator, credentialIn, refusedRequest } from '../session/authenticate.ts';
import { type Anonymous, useAuthentication } from './use-authentication.ts';
import { maskError, useErrorCodes } from './use-error-codes.ts';
import { useHiddenSchema } from './use-hidden-schema.ts';
import { useLimits } from './use-limits.ts';
import { useShownIncrements } from './use-shown-increments.ts';

/** What the transport tells of a request: a socket has its context already; over HTTP it says when the client goes. */
export interface Transport {
  socket?: GraphContext;
  gone?: AbortSignal;
  /** An operation that came with files, and has been read. */
  operation?: MultipartOperation;
  /** The refusal of its credential, where somebody has asked already. */
  refusal?: unknown;
}

/** Lets yoga take an operation that has been read. */
const useReadOperation = (): Plugin<GraphContext, Transport> => ({
  onRequestParse: ({ serverContext, setRequestParser }) => {
    const { operation } = serverContext;
    if (operation) setRequestParser(() => operation);
  },
});

/** The GraphQL server, as yoga makes it. */
export type Yoga = YogaServerInstance<Transport, GraphContext & Anonymous>;

const neverGone = new AbortController().signal;

/** Both names under which a request may name its workspace; the second is DashScope's. */
const workspaceHeaders = ['x-workspace', 'x-dashscope-workspace'];

/** The workspace that the headers of a request name; null: none. */
export const workspaceIn = (get: (name: string) => string | null | undefined): string | null =>
  workspaceHeaders.map(get).find((value) => typeof value === 'string') ?? null;

/** How long all texts may be together whose documents are kept: parsed, they are about two hundred times as large. */
const maxParsedLength = 400_000;

/** Keeps what operations were parsed to, within bounds: anybody can send one. */
const parsed = <Value extends object>() =>
  new LRUCache<string, Value>({
    maxSize: maxParsedLength,
    maxEntrySize: maxParsedLength / 20,
    sizeCalculation: (_value, text) => text.length + 1,
  });

/** Lets yoga's own event streams share what is executed. */
const sharing = (events: SharedResults): Plugin => ({
  onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(events.subscribe as never),
});

/** GraphQL over HTTP and SSE on /graphql, and what the WebSocket server executes with. */
export function createGraphServer(options: {
  schema: GraphQLSchema;
  authenticator: Authenticator;
  events: SharedResults;
  log: Logger;
  graphiql: boolean;
  introspection: boolean;
}): Yoga {
  const { schema, authenticator, events, log } = options;
  const yogaLog = log.child({ part: 'yoga' });
  const shown = maskError(log);
  return createYoga<Transport, GraphContext & Anonymous>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    batching: false,
    cors: false,
    renderGraphiQL,
    graphiql: options.graphiql && graphiql,
    logging: {
      debug: () => {},
      info: (...words) => yogaLog.debug(words),
      warn: (...words) => yogaLog.warn(words),
      // What goes wrong has been logged by then, with its request id.
      error: (...words) => yogaLog.debug(words),
    },
    parserAndValidationCache: { documentCache: parsed(), errorCache: parsed() },
    maskedErrors: { maskError: shown },
    multipart: false,
    plugins: [
      useReadOperation() as Plugin,
      useLimits(),
      useDeferStream(),
      sharing(events),
      useShownIncrements(shown),
      ...(options.introspection ? [] : [useHiddenSchema()]),
      useErrorCodes(),
      useAuthentication(),
    ],
    context: async ({ socket, request, gone = neverGone, refusal }) => {
      if (socket) return socket;
      if (refusal) throw refusal;
      const workspace = workspaceIn((name) => request.headers.get(name));
      const credential = credentialIn(request.headers.get('authorization'), workspace);
      if (credential.secret === null) return { isAnonymous: true } as GraphContext & Anonymous;
      const session = await authenticator.open(credential).catch((error) => {
        throw refusedRequest(error);
      });
      return graphContext(session.context, session, gone);
    },
  });
}
