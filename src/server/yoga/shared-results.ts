import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  visit,
} from 'graphql';
import { iterator } from '../../async/iterator.ts';
import type { MemoryHolder } from '../../async/shared-memory.ts';
import type { Availability } from '../../db/availability.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import type { FeedItem } from '../../domain/follow/follower.ts';
import type { GraphContext } from '../../graphql/context.ts';
import { requireCost } from '../../graphql/operation-cost.ts';
import { serverLimits } from '../limits.ts';
import { holderOf } from '../session/holder.ts';
import { tooLarge } from './answer.ts';
import type { Answers } from './answers.ts';
import { EventMeter } from './event-meter.ts';
import { roughLength } from './json-pieces.ts';
import { withFewErrors } from './use-answer-limit.ts';
import { variablesError } from './variables.ts';

const tooLong = new GraphQLError(
  `The variables of a subscription are limited to ${serverLimits.subscriptionVariables} characters of JSON.`,
  { extensions: { code: 'BAD_USER_INPUT' } },
);

/** What subscriptions with the same document have in common. */
interface Shape {
  /** Unique to the document. */
  name: string;
  /** The variables that the results of its events depend on. */
  variables: string[];
}

/** The result of an event, and its approximate size in bytes. */
interface EventResult {
  readonly result: ExecutionResult;
  readonly bytes: number;
}

/**
 * Executes each event once for all subscriptions with the same operation and actor. Followers at the same position of a
 * thread receive the same object as feed item (`ThreadFeed.share`); its results live as long as that object.
 */
export class SharedResults {
  readonly #mask: (error: unknown) => Error;
  readonly #availability: Availability;
  readonly #answers: Answers;
  readonly #results = new WeakMap<object, Map<string, Promise<EventResult>>>();
  readonly #shapes = new WeakMap<DocumentNode, Shape>();
  #shapeCount = 0;

  /** `mask`: see `maskError`. */
  constructor(mask: (error: unknown) => Error, availability: Availability, answers: Answers) {
    this.#mask = mask;
    this.#availability = availability;
    this.#answers = answers;
  }

  /**
   * Subscribes as graphql-js does, with masked errors. Adds nothing else between a follower and its subscriber, except for what
   * `mark` adds to the result of each event, whose cursor it receives.
   */
  readonly subscribe = async (
    args: ExecutionArgs,
    mark: (result: ExecutionResult, cursor: string) => ExecutionResult = (result) => result,
  ): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> => {
    const refusal = variablesError(args.variableValues);
    if (refusal) return { errors: [refusal] };
    const { length } = JSON.stringify(args.variableValues ?? {});
    if (length > serverLimits.subscriptionVariables) return { errors: [tooLong] };
    try {
      requireCost(args, this.#answers.maxCost);
    } catch (error) {
      return { errors: [error as GraphQLError] };
    }
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return this.#masked(source);
    const operation = operationKey(args, this.#shapeOf(args.document));
    const inner = source[Symbol.asyncIterator]() as AsyncGenerator<object>;
    const memory = new EventMemory(this.#answers, holderOf(args.contextValue as GraphContext));
    return iterator<ExecutionResult>({
      next: async () => {
        memory.release();
        try {
          const { done, value } = await inner.next();
          if (done) return { done, value: undefined };
          const { result, bytes } = await this.#resultOf(args, value, operation);
          if (bytes > serverLimits.plainResponse) await memory.hold(bytes);
          return { done: false, value: mark(result, (value as FeedItem).cursor) };
        } catch (error) {
          throw this.#mask(error);
        }
      },
      close: () => {
        memory.close();
        return inner.return(undefined);
      },
    });
  };

  #resultOf(args: ExecutionArgs, item: object, operation: string): Promise<EventResult> {
    const byOperation = this.#results.get(item) ?? new Map<string, Promise<EventResult>>();
    this.#results.set(item, byOperation);
    const result = byOperation.get(operation) ?? this.#execute(args, item);
    byOperation.set(operation, result);
    return result;
  }

  async #execute(args: ExecutionArgs, item: object): Promise<EventResult> {
    for (let failed = 1; ; failed += 1) {
      // Rows loaded for one event can be outdated for the next.
      (args.contextValue as GraphContext).forget();
      const contextValue: GraphContext = {
        ...(args.contextValue as GraphContext),
        meter: new EventMeter(this.#answers.maxBytes),
        textAt: (item as FeedItem).textAt,
      };
      const result = await execute({ ...args, contextValue, rootValue: item });
      // A client would not receive the event again whose fields could not be read.
      const isLost = result.errors?.some(({ originalError }) => isUnavailable(originalError));
      if (!isLost || !(await this.#availability.untilBackSoon(failed))) return this.#measured(this.#masked(result));
    }
  }

  /** The result with its size, or the error of one that is too large. */
  #measured(result: ExecutionResult): EventResult {
    const { maxBytes } = this.#answers;
    const bytes = roughLength(result, maxBytes);
    return bytes > maxBytes ? { result: { errors: [tooLarge(maxBytes)] }, bytes: 0 } : { result, bytes };
  }

  #masked(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    const few = withFewErrors(result);
    return { ...few, errors: few.errors?.map((error) => this.#mask(error) as GraphQLError) };
  }

  #shapeOf(document: DocumentNode): Shape {
    const known = this.#shapes.get(document);
    if (known) return known;
    this.#shapeCount += 1;
    const shape = { name: String(this.#shapeCount), variables: eventVariables(document) };
    this.#shapes.set(document, shape);
    return shape;
  }
}

/** The memory of the last event of one subscription, until the next event is asked for: then it has been sent. */
class EventMemory {
  readonly #answers: Answers;
  readonly #holder: MemoryHolder;
  readonly #closed = new AbortController();
  #bytes = 0;

  constructor(answers: Answers, holder: MemoryHolder) {
    this.#answers = answers;
    this.#holder = holder;
  }

  /** Resolves when there is room for the bytes, or the subscription has closed. */
  async hold(bytes: number): Promise<void> {
    const isHeld = await this.#answers.wait(this.#holder, bytes, this.#closed.signal);
    if (isHeld) this.#bytes = bytes;
    if (this.#closed.signal.aborted) this.release();
  }

  release(): void {
    if (this.#bytes > 0) this.#answers.release(this.#holder, this.#bytes);
    this.#bytes = 0;
  }

  close(): void {
    this.#closed.abort();
    this.release();
  }
}

/**
 * Everything besides the event that its result depends on: the operation, the values of its variables, the actor, and the URL
 * in links to files.
 */
function operationKey(
  { operationName, variableValues, contextValue }: ExecutionArgs,
  { name, variables }: Shape,
): string {
  const { workspaceId, actor, fileLinks } = contextValue as GraphContext;
  const given = variableValues ?? {};
  // An absent variable has its default; null is a value.
  const values = variables.map((name) => (Object.hasOwn(given, name) ? [given[name]] : []));
  return JSON.stringify([name, operationName, values, workspaceId, actor, fileLinks.base]);
}

/** The variables that a document uses, except in the arguments of the subscription's root field. */
function eventVariables(document: DocumentNode): string[] {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== 'OperationDefinition' && definition.kind !== 'FragmentDefinition') continue;
    const isRoot = definition.kind === 'OperationDefinition';
    for (const selection of definition.selectionSet.selections) {
      const perEvent = isRoot && selection.kind === 'Field' ? { ...selection, arguments: [] } : selection;
      visit(perEvent, { Variable: ({ name }) => void names.add(name.value) });
    }
  }
  return [...names];
}
