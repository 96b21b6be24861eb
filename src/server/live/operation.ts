import { type ExecutionArgs, GraphQLError, getOperationAST } from 'graphql';
import { graphContext } from '../../graphql/context.ts';
import type { Session } from '../session/session.ts';
import { invalid } from '../yoga/use-error-codes.ts';
import type { Yoga } from '../yoga/yoga.ts';
import type { SharedResults } from './shared-results.ts';

/** An operation as clients send it outside yoga's own requests. */
export interface OperationParams {
  query: string;
  operationName?: string | null;
  variables?: Record<string, unknown> | null;
}

/** Yoga's own functions travel with an operation, because their plugins are bound to its context. */
type Executor = (args: ExecutionArgs) => never;

/** How servers of the GraphQL protocols execute what `operationOf` returns. */
export const executorsWith = (events: SharedResults) => ({
  execute: (args: ExecutionArgs) => (args.rootValue as { execute: Executor }).execute(args),
  // Nobody is anonymous here, and errors are shown as everywhere: yoga's plugins have nothing to add to each event.
  subscribe: (args: ExecutionArgs) => events.subscribe({ ...args, rootValue: undefined }),
});

/**
 * What an operation of a session executes with, or the errors for which it is refused. `gone` aborts when its client goes.
 * Throws coded errors for what is no GraphQL.
 */
export async function operationOf(
  yoga: Yoga,
  session: Session,
  gone: AbortSignal,
  { query, operationName, variables }: OperationParams,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  const socket = graphContext(session.context, session, gone);
  const { schema, execute, contextFactory, parse, validate } = yoga.getEnveloped({ socket } as never);
  const document = parse(query);
  const errors = validate(schema, document) as readonly GraphQLError[];
  if (errors.length > 0) return errors;
  if (!getOperationAST(document, operationName)) {
    return [invalid(new GraphQLError('The document has no such operation: name one of those that it has.'))];
  }
  const contextValue = await contextFactory();
  const rootValue = { execute };
  return { schema, operationName, document, variableValues: variables ?? undefined, contextValue, rootValue };
}
