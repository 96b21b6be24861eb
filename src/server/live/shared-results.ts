import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  visit,
} from 'graphql';
import type { GraphContext } from '../../graphql/context.ts';

/** In UTF-16 code units, as JSON. */
const maxVariablesLength = 65_536;
const tooLong = new GraphQLError(`A subscription takes variables of ${maxVariablesLength} characters at most.`, {
  extensions: { code: 'BAD_USER_INPUT' },
});

/** What is the same for all subscriptions with the same document: a name for it, and the variables that its events use. */
interface Shape {
  name: string;
  variables: string[];
}

/**
 * Executes an event once for all who follow with the same operation and the same rights: followers of a thread that are at
 * the same place are told the same object (`ThreadFeed.share`), which lives only until the thread goes on.
 */
export class SharedResults {
  readonly #shown: (error: unknown) => Error;
  readonly #results = new WeakMap<object, Map<string, Promise<ExecutionResult>>>();
  readonly #shapes = new WeakMap<DocumentNode, Shape>();
  #named = 0;

  /** `shown`: what clients see of an error. */
  constructor(shown: (error: unknown) => Error) {
    this.#shown = shown;
  }

  /** Subscribes as graphql-js does, with errors as clients see them. Nothing else is between a follower and its client. */
  readonly subscribe = async (args: ExecutionArgs): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> => {
    // They are kept as long as it is open.
    if (JSON.stringify(args.variableValues ?? {}).length > maxVariablesLength) return { errors: [tooLong] };
    const source = await createSourceEventStream(args);
    if (!(Symbol.asyncIterator in source)) return this.#withShown(source);
    const operation = operationKey(args, this.#shapeOf(args.document));
    const inner = source[Symbol.asyncIterator]() as AsyncGenerator<object>;
    const end = async () => (await inner.return(undefined)) as IteratorReturnResult<undefined>;
    const iterator: AsyncGenerator<ExecutionResult> = {
      next: async () => {
        try {
          const { done, value } = await inner.next();
          return done
            ? { done, value: undefined }
            : { done: false, value: await this.#resultOf(args, value, operation) };
        } catch (error) {
          throw this.#shown(error);
        }
      },
      return: end,
      throw: async (error) => {
        await end();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
      [Symbol.asyncDispose]: async () => void (await end()),
    };
    return iterator;
  };

  #resultOf(args: ExecutionArgs, told: object, operation: string): Promise<ExecutionResult> {
    const ofEvent = this.#results.get(told) ?? new Map<string, Promise<ExecutionResult>>();
    this.#results.set(told, ofEvent);
    const result = ofEvent.get(operation) ?? this.#execute(args, told);
    ofEvent.set(operation, result);
    return result;
  }

  async #execute(args: ExecutionArgs, told: object): Promise<ExecutionResult> {
    // What was loaded for one event is not kept for the next.
    (args.contextValue as GraphContext).forget();
    return this.#withShown(await execute({ ...args, rootValue: told }));
  }

  #withShown(result: ExecutionResult): ExecutionResult {
    return result.errors
      ? { ...result, errors: result.errors.map((error) => this.#shown(error) as GraphQLError) }
      : result;
  }

  #shapeOf(document: DocumentNode): Shape {
    const known = this.#shapes.get(document);
    if (known) return known;
    this.#named += 1;
    const shape = { name: String(this.#named), variables: variablesOfEvents(document) };
    this.#shapes.set(document, shape);
    return shape;
  }
}

/** All that the results for an event depend on, besides the event: what is asked, with which values, by whom. */
function operationKey(
  { operationName, variableValues, contextValue }: ExecutionArgs,
  { name, variables }: Shape,
): string {
  const { workspaceId, actor } = contextValue as GraphContext;
  const given = variableValues ?? {};
  // One that is left out has its default; null is a value.
  const values = variables.map((name) => (Object.hasOwn(given, name) ? [given[name]] : []));
  return JSON.stringify([name, operationName, values, workspaceId, actor]);
}

/** The variables that a document uses anywhere but in the arguments of a subscription's own field. */
function variablesOfEvents(document: DocumentNode): string[] {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== 'OperationDefinition' && definition.kind !== 'FragmentDefinition') continue;
    const isRoot = definition.kind === 'OperationDefinition';
    for (const selection of definition.selectionSet.selections) {
      const bare = isRoot && selection.kind === 'Field' ? { ...selection, arguments: [] } : selection;
      visit(bare, { Variable: ({ name }) => void names.add(name.value) });
    }
  }
  return [...names];
}
