import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  getOperationAST,
  type OperationTypeNode,
} from 'graphql';
import type { GraphContext } from '../../graphql/context.ts';
import type { Session } from '../session/session.ts';
import type { Answer } from './answer.ts';
import { operationContext } from './operation-context.ts';
import type { SharedResults } from './shared-results.ts';
import type { Transport } from './transport.ts';
import type { Anonymous } from './use-authentication.ts';
import { invalid } from './use-error-codes.ts';
import type { Yoga } from './yoga.ts';

/** An operation as clients send it. */
export interface OperationParams {
  query: string;
  operationName?: string | null;
  variables?: Record<string, unknown> | null;
}

/** Yoga's `execute`, with its plugins bound to one operation. */
type Execute = (args: ExecutionArgs) => Promise<ExecutionResult>;

/** A parsed and valid operation that has not been executed. */
interface PreparedOperation {
  readonly kind: OperationTypeNode;
  readonly document: DocumentNode;
  readonly execute: Execute;
  /** Authenticates the request, unless its transport has done so. Throws the error that refuses it. */
  createContext(): Promise<GraphContext & Anonymous>;
  argsWith(context: GraphContext): ExecutionArgs;
}

/**
 * Parses and validates an operation with yoga's caches and plugins, but without its Request and Response objects. Returns
 * the validation errors, if any. Throws a coded error for a document that is too long or has a syntax error.
 */
export function prepareOperation(
  yoga: Yoga,
  transport: Transport & { request?: { headers: { get(name: string): string | null } } },
  { query, operationName, variables }: OperationParams,
): PreparedOperation | { errors: readonly GraphQLError[] } {
  const { schema, execute, contextFactory, parse, validate } = yoga.getEnveloped(transport as never);
  const document: DocumentNode = parse(query);
  const errors = validate(schema, document) as readonly GraphQLError[];
  if (errors.length > 0) return { errors };
  const kind = getOperationAST(document, operationName)?.operation;
  if (!kind) {
    const message = 'The document has no such operation. Set operationName to the name of an operation in it.';
    return { errors: [invalid(new GraphQLError(message))] };
  }
  const argsWith = (contextValue: GraphContext) => {
    return { schema, document, operationName, variableValues: variables ?? undefined, contextValue };
  };
  return {
    kind,
    document,
    execute: execute as Execute,
    createContext: contextFactory as PreparedOperation['createContext'],
    argsWith,
  };
}

/**
 * The arguments to execute an operation of a session with, for a server with the functions of `executors`; or the errors
 * that refuse it. `disconnected` aborts when the client disconnects; the caller releases `answer` when it has sent the
 * result; `origin`: see `operationContext`. Throws as `prepareOperation` does, and the signal's reason for a client that has disconnected.
 */
export async function sessionOperation(
  yoga: Yoga,
  session: Session,
  { disconnected, answer, origin }: { disconnected: AbortSignal; answer: Answer; origin: string | null },
  params: OperationParams,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  disconnected.throwIfAborted();
  const socket = operationContext(session, origin, disconnected);
  const prepared = prepareOperation(yoga, { socket, answer }, params);
  if ('errors' in prepared) return prepared.errors;
  // The plugins behind `execute` are bound to this operation, so it travels with the arguments.
  return { ...prepared.argsWith(await prepared.createContext()), rootValue: { execute: prepared.execute } };
}

/** The functions with which the WebSocket and SSE servers execute the arguments of `sessionOperation`. */
export const executors = (results: SharedResults) => ({
  execute: (args: ExecutionArgs) => (args.rootValue as { execute: Execute }).execute(args),
  // Sessions are authenticated and `SharedResults` masks errors: yoga's plugins would add nothing to an event but cost.
  subscribe: (args: ExecutionArgs) => results.subscribe({ ...args, rootValue: undefined }),
});

export const isSubscription = ({ document, operationName }: ExecutionArgs): boolean =>
  getOperationAST(document, operationName)?.operation === 'subscription';
