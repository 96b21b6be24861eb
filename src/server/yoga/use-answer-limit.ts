import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { iterator } from '../../async/iterator.ts';
import type { GraphContext } from '../../graphql/context.ts';
import { costOfResult, requireCost } from '../../graphql/operation-cost.ts';
import { serverLimits } from '../limits.ts';
import { requestError } from '../session/request-error.ts';
import type { Answer } from './answer.ts';
import { roughLength } from './json-pieces.ts';

/** The context of an operation whose transport limits its answer. */
interface Context {
  answer?: Answer;
}

type Result = ExecutionResult | AsyncIterable<ExecutionResult>;

/**
 * Limits the cost of a query or mutation, the bytes of its answer, and its errors, for all transports. `SharedResults` limits
 * subscriptions.
 */
export function useAnswerLimit(): Plugin {
  return {
    onExecute: ({ args, executeFn, setExecuteFn, extendContext }) => {
      const { answer } = args.contextValue as Context;
      if (!answer) return;
      extendContext({ meter: answer } as object);
      setExecuteFn((bound: ExecutionArgs) => limited(answer, bound, executeFn as (args: ExecutionArgs) => Result));
    },
  };
}

async function limited(
  answer: Answer,
  args: ExecutionArgs,
  execute: (args: ExecutionArgs) => Result | Promise<Result>,
): Promise<Result> {
  const isMutation = getOperationAST(args.document, args.operationName)?.operation === 'mutation';
  const { signal, access, forget } = args.contextValue as GraphContext;
  const end = () => {
    answer.end();
    // The context lives as long as the client does not read the answer.
    forget?.();
  };
  const weigh = () => weightOf(args);
  let cost: number;
  try {
    cost = requireCost(args, answer.maxCost);
  } catch (error) {
    return { errors: [error as GraphQLError] };
  }
  try {
    await answer.begin(args.contextValue as object, isMutation, { signal, access, weigh });
  } catch (error) {
    if (signal?.aborted) return { errors: [disconnected] };
    return { errors: [requestError(error) as GraphQLError] };
  }
  let isInParts = false;
  try {
    const result = await execute(args);
    isInParts = isAsyncIterable(result);
    if (isAsyncIterable(result)) return limitedParts(answer, result, end);
    return withCost(await answer.fit(withFewErrors(result)), cost, answer);
  } finally {
    if (!isInParts) end();
  }
}

/** Adds the cost of the operation, its limit, and the cost of what the response contains. Introspection has none. */
function withCost(result: ExecutionResult, cost: number, answer: Answer): ExecutionResult {
  if (cost === 0 || !result.data) return result;
  const { maxCost: limit } = answer;
  const spent = costOfResult(result.data);
  answer.charge(spent);
  return { ...result, extensions: { ...result.extensions, cost: { cost, limit, spent } } };
}

/** The result that nobody receives. */
const disconnected = new GraphQLError('The client has disconnected.', { extensions: { code: 'DISCONNECTED' } });

/** The approximate bytes of memory of an operation that has not been executed. */
function weightOf({ document, variableValues }: ExecutionArgs): number {
  const { parsedCharacterBytes, waitingBytes } = serverLimits;
  const text = document.loc?.source.body.length ?? 0;
  return text * parsedCharacterBytes + 2 * roughLength(variableValues, waitingBytes);
}

/** The parts of an incremental answer, until their sum exceeds the limit. `end`: called once or more when it has ended. */
function limitedParts(
  answer: Answer,
  parts: AsyncIterable<ExecutionResult>,
  end: () => void,
): AsyncGenerator<ExecutionResult> {
  const inner = parts[Symbol.asyncIterator]();
  const close = async () => {
    end();
    await inner.return?.();
  };
  let hasEnded = false;
  return iterator<ExecutionResult>({
    next: async () => {
      if (hasEnded) return { done: true, value: undefined };
      try {
        const { done, value } = await inner.next();
        if (done) {
          end();
          return { done, value: undefined };
        }
        const part = await answer.fit(withFewErrors(value));
        hasEnded = answer.failure !== null;
        if (!hasEnded) return { done: false, value: part };
        await close();
        return { done: false, value: { ...part, hasNext: false } };
      } catch (error) {
        end();
        throw error;
      }
    },
    close,
  });
}

/** A result with as many errors as it may have. The last one states how many are left out. */
export function withFewErrors<Errors extends { errors?: readonly GraphQLError[] }>(result: Errors): Errors {
  const { errors } = result;
  if (!errors || errors.length <= serverLimits.errors) return result;
  const kept = errors.slice(0, serverLimits.errors - 1);
  const left = `${errors.length - kept.length} more errors are left out.`;
  return { ...result, errors: [...kept, new GraphQLError(left, { extensions: { code: 'TOO_MANY_ERRORS' } })] };
}
