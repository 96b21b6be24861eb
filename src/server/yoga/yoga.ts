import { useDeferStream } from '@graphql-yoga/plugin-defer-stream';
import type { ExecutionArgs, GraphQLSchema } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { GraphContext } from '../../graphql/context.ts';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';
import type { Authenticator } from '../session/authenticator.ts';
import { headerCredential } from '../session/request-credential.ts';
import { requestError } from '../session/request-error.ts';
import { resumeOf, withEventId } from './event-id.ts';
import { graphiql, renderPage } from './graphiql.ts';
import { operationContext } from './operation-context.ts';
import type { SharedResults } from './shared-results.ts';
import type { Transport } from './transport.ts';
import { useAnswerLimit } from './use-answer-limit.ts';
import { type Anonymous, useAuthentication } from './use-authentication.ts';
import { maskError, useErrorCodes } from './use-error-codes.ts';
import { useFullDisk } from './use-full-disk.ts';
import { useHiddenSchema } from './use-hidden-schema.ts';
import { useLimits } from './use-limits.ts';
import { useMaskedIncrements } from './use-masked-increments.ts';
import { useStreamLimits } from './use-stream-limits.ts';

/** Parses and validates the documents of requests when the turn of their client has come, unless it has disconnected. */
const useFairTurns = (): Plugin<GraphContext, Transport> => ({
  onParams: async ({ context: { turns, disconnected } }) => {
    await turns?.queue();
    disconnected?.throwIfAborted();
  },
});

/** Lets yoga accept an operation that has been parsed. */
const useParsedOperation = (): Plugin<GraphContext, Transport> => ({
  onRequestParse: ({ serverContext, setRequestParser }) => {
    const { operation } = serverContext;
    if (operation) setRequestParser(() => operation);
  },
});

export type Yoga = YogaServerInstance<Transport, GraphContext & Anonymous>;

const neverAborted = new AbortController().signal;

/** A cache of parsed documents, or of their errors, with a bounded size: any client can send documents. */
const documentCache = <Value extends object>() =>
  new LRUCache<string, Value>({
    maxSize: serverLimits.cachedDocuments,
    maxEntrySize: serverLimits.cachedDocument,
    sizeCalculation: (_value, text) => text.length + 1,
  });

/** Shares the results of events between yoga's own event streams, where each event has the cursor as its id. */
const useSharedResults = (results: SharedResults): Plugin => ({
  onSubscribe: ({ setSubscribeFn }) =>
    setSubscribeFn(((args: ExecutionArgs) => results.subscribe(args, withEventId)) as never),
});

/** Serves GraphQL over HTTP and SSE on /graphql, and executes the operations of all other transports. */
export function createGraphServer(options: {
  schema: GraphQLSchema;
  authenticator: Authenticator;
  results: SharedResults;
  log: Logger;
  graphiql: boolean;
  introspection: boolean;
  /** Whether the disk of the database is full. */
  isFull: () => boolean;
}): Yoga {
  const { schema, authenticator, results, log } = options;
  const yogaLog = log.child({ part: 'yoga' });
  const mask = maskError(log);
  return createYoga<Transport, GraphContext & Anonymous>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    batching: false,
    cors: false,
    renderGraphiQL: renderPage,
    graphiql: options.graphiql && graphiql,
    logging: {
      // Texts may quote the request.
      debug: () => {},
      info: () => {},
      warn: () => {},
      // `maskError` has logged the error with its request id.
      error: (error) => yogaLog.debug({ err: error }, 'operation failed'),
    },
    parserAndValidationCache: { documentCache: documentCache(), errorCache: documentCache() },
    maskedErrors: { maskError: mask },
    multipart: false,
    plugins: [
      useParsedOperation() as Plugin,
      useFairTurns() as Plugin,
      useLimits(),
      useDeferStream(),
      useStreamLimits(),
      useSharedResults(results),
      useAnswerLimit(),
      useMaskedIncrements(mask),
      ...(options.introspection ? [] : [useHiddenSchema()]),
      useErrorCodes(),
      useAuthentication() as Plugin,
      useFullDisk(options.isFull),
    ],
    context: async ({ socket, session: opened, request, ...transport }) => {
      if (socket) return socket;
      const { origin = null, disconnected = neverAborted, credentialError } = transport;
      const resume = resumeOf(request);
      if (opened) return { ...operationContext(opened, origin, disconnected), ...resume };
      if (credentialError) throw credentialError;
      const credential = headerCredential((name) => request.headers.get(name));
      if (credential.secret === null) return { isAnonymous: true } as GraphContext & Anonymous;
      const session = await authenticator.open(credential).catch((error) => {
        throw requestError(error);
      });
      return { ...operationContext(session, origin, disconnected), ...resume };
    },
  });
}
