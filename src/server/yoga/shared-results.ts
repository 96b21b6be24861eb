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
import type { Availability } from '../../db/availability.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import type { GraphContext } from '../../graphql/context.ts';
import { serverLimits } from '../limits.ts';

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

/**
 * Executes each event once for all subscriptions with the same operation and actor. Followers at the same position of a
 * thread receive the same object as feed item (`ThreadFeed.share`); its results live as long as that object.
 */
export class SharedResults {
  readonly #mask: (error: unknown) => Error;
  readonly #availability: Availability;
  readonly #results = new WeakMap<object, Map<string, Promise<ExecutionResult>>>();
  readonly #shapes = new WeakMap<DocumentNode, Shape>();
  #shapeCount = 0;

  /** `mask`: see `maskError`. */
  constructor(mask: (error: unknown) => Error, availability: Availability) {
    this.#mask = mask;
    this.#availability = availability;
  }

  /** Subscribes as graphql-js does, with masked errors. Adds nothing else between a follower and its subscriber. */
  readonly subscribe = async (args: ExecutionArgs): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> => {
    const { length } = JSON.stringify(args.variableValues ?? {});
    if (length > serverLimits.subscriptionVariables) return { errors: [tooLong] };
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return this.#masked(source);
    const operation = operationKey(args, this.#shapeOf(args.document));
    const inner = source[Symbol.asyncIterator]() as AsyncGenerator<object>;
    return iterator<ExecutionResult>({
      next: async () => {
        try {
          const { done, value } = await inner.next();
          if (done) return { done, value: undefined };
          return { done: false, value: await this.#resultOf(args, value, operation) };
        } catch (error) {
          throw this.#mask(error);
        }
      },
      close: () => inner.return(undefined),
    });
  };

  #resultOf(args: ExecutionArgs, item: object, operation: string): Promise<ExecutionResult> {
    const byOperation = this.#results.get(item) ?? new Map<string, Promise<ExecutionResult>>();
    this.#results.set(item, byOperation);
    const result = byOperation.get(operation) ?? this.#execute(args, item);
    byOperation.set(operation, result);
    return result;
  }

  async #execute(args: ExecutionArgs, item: object): Promise<ExecutionResult> {
    for (let failed = 1; ; failed += 1) {
      // Rows loaded for one event can be outdated for the next.
      (args.contextValue as GraphContext).forget();
      const result = await execute({ ...args, rootValue: item });
      // A client would not receive the event again whose fields could not be read.
      const isLost = result.errors?.some(({ originalError }) => isUnavailable(originalError));
      if (!isLost || !(await this.#availability.untilBackSoon(failed))) return this.#masked(result);
    }
  }

  #masked(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    return { ...result, errors: result.errors.map((error) => this.#mask(error) as GraphQLError) };
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

/** Everything besides the event that its result depends on: the operation, the values of its variables and the actor. */
function operationKey(
  { operationName, variableValues, contextValue }: ExecutionArgs,
  { name, variables }: Shape,
): string {
  const { workspaceId, actor } = contextValue as GraphContext;
  const given = variableValues ?? {};
  // An absent variable has its default; null is a value.
  const values = variables.map((name) => (Object.hasOwn(given, name) ? [given[name]] : []));
  return JSON.stringify([name, operationName, values, workspaceId, actor]);
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
