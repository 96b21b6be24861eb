import {
  type DocumentNode,
  type ExecutionArgs,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  GraphQLIncludeDirective,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  getNamedType,
  getNullableType,
  getOperationAST,
  isAbstractType,
  isLeafType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { operationLimits } from './limits.ts';

/** The error for an operation beyond a limit. */
export const tooComplexError = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });

/** The cost of a value that is no object, such as a text; an object costs 1. */
const leafCost = 0.2;
/** The assumed length of a list of objects that is not a connection. */
const assumedLength = 5;

type Variables = Readonly<Record<string, unknown>>;

/** The cost of the largest response to an operation, before it is executed. docs/limits.md has the formula. */
class OperationCost {
  readonly #schema: GraphQLSchema;
  readonly #variables: Variables;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The fields that have been counted: a document can spread the same fragment very often. */
  #counted = 0;

  constructor(schema: GraphQLSchema, document: DocumentNode, variables: Variables) {
    this.#schema = schema;
    this.#variables = variables;
    this.#fragments = new Map(
      document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
    );
  }

  /** Throws the error for an operation that nests too deep, or has too many fields. */
  of(root: GraphQLObjectType, { selectionSet }: OperationDefinitionNode): number {
    return this.#ofSelection(root, [selectionSet], 1, 1);
  }

  /** The cost of one object: that of the dearest type that it can have. `size`: the nodes of the page around it. */
  #ofSelection(type: GraphQLNamedType, sets: readonly SelectionSetNode[], depth: number, size: number): number {
    if (!isAbstractType(type)) return this.#ofObject(type as GraphQLObjectType, sets, depth, size);
    let dearest = 0;
    for (const possible of this.#schema.getPossibleTypes(type)) {
      dearest = Math.max(dearest, this.#ofObject(possible, sets, depth, size));
    }
    return dearest;
  }

  #ofObject(type: GraphQLObjectType, sets: readonly SelectionSetNode[], depth: number, size: number): number {
    const fields = new Map<string, FieldNode[]>();
    const spread = new Set<string>();
    for (const set of sets) this.#collect(type, set, fields, spread);
    let cost = 0;
    for (const nodes of fields.values()) cost += this.#ofField(type, nodes as [FieldNode], depth, size);
    return cost;
  }

  #ofField(
    parent: GraphQLObjectType,
    nodes: readonly [FieldNode, ...FieldNode[]],
    depth: number,
    size: number,
  ): number {
    const [{ name, arguments: args = [] }] = nodes;
    const field = parent.getFields()[name.value];
    // `__typename`, and introspection, which has a limit of its own.
    if (!field) return 0;
    if (depth > operationLimits.depth) throw tooDeep();
    this.#counted += 1;
    if (this.#counted > operationLimits.countedFields) throw tooManyFields();
    const type = getNamedType(field.type);
    if (isLeafType(type)) return leafCost;
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    const argument = (wanted: string) => {
      const value = args.find((one) => one.name.value === wanted)?.value;
      return value && valueFromASTUntyped(value, this.#variables as Record<string, unknown>);
    };
    const isConnection = field.args.some((one) => one.name === 'first');
    if (isConnection) {
      const page = argument('first') ?? argument('last');
      return 1 + this.#ofSelection(type, sets, depth + 1, clamp(typeof page === 'number' ? page : 20));
    }
    const ids = field.args.some((one) => one.name === 'ids') ? argument('ids') : undefined;
    const length = Array.isArray(ids) ? clamp(ids.length) : this.#lengthOf(parent, field, size);
    return length * (1 + this.#ofSelection(type, sets, depth + 1, 1));
  }

  #lengthOf(parent: GraphQLObjectType, { name, type }: { name: string; type: unknown }, size: number): number {
    if (parent.name.endsWith('Connection') && (name === 'nodes' || name === 'edges')) return size;
    return isListType(getNullableType(type as never)) ? assumedLength : 1;
  }

  /** Adds the fields that apply to a type, by the name in the response: fields with the same name are one. */
  #collect(
    type: GraphQLObjectType,
    { selections }: SelectionSetNode,
    fields: Map<string, FieldNode[]>,
    spread: Set<string>,
  ): void {
    for (const selection of selections) {
      if (!this.#isIncluded(selection)) continue;
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value;
        const known = fields.get(name);
        if (known) known.push(selection);
        else fields.set(name, [selection]);
      } else {
        const fragment = this.#fragmentOf(selection, spread);
        const applies = fragment && this.#applies(fragment.typeCondition?.name.value, type);
        if (applies) this.#collect(type, fragment.selectionSet, fields, spread);
      }
    }
  }

  /** The fragment of a selection; undefined: it has been spread before. */
  #fragmentOf(selection: Exclude<SelectionNode, FieldNode>, spread: Set<string>) {
    if (selection.kind === Kind.INLINE_FRAGMENT) return selection;
    const name = selection.name.value;
    if (spread.has(name)) return undefined;
    spread.add(name);
    return this.#fragments.get(name);
  }

  #applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const named = this.#schema.getType(condition);
    return isAbstractType(named) && this.#schema.isSubType(named, type);
  }

  #isIncluded(node: Parameters<typeof getDirectiveValues>[1]): boolean {
    if (!node.directives?.length) return true;
    if (getDirectiveValues(GraphQLSkipDirective, node, this.#variables)?.if === true) return false;
    return getDirectiveValues(GraphQLIncludeDirective, node, this.#variables)?.if !== false;
  }
}

const clamp = (size: number) => Math.min(Math.max(size, 1), operationLimits.pageSize);

const tooDeep = () =>
  tooComplexError(
    `The query nests deeper than the limit of ${operationLimits.depth} levels. Split it into several queries.`,
  );

const tooManyFields = () =>
  tooComplexError(
    `The query selects more than ${operationLimits.countedFields} fields, the limit. Split it into several queries.`,
  );

/**
 * The cost of the largest response to an operation: see docs/limits.md. Throws a GraphQLError with the code QUERY_TOO_COMPLEX
 * for an operation that nests too deep, and for one that costs more than `limit`.
 */
export function requireCost({ schema, document, operationName, variableValues }: ExecutionArgs, limit: number): number {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!operation || !isObjectType(root)) return 0;
  const variables = withDefaults(operation, variableValues ?? {});
  const cost = Math.ceil(new OperationCost(schema, document, variables).of(root, operation));
  if (cost <= limit) return cost;
  throw tooComplexError(`The query costs ${cost}; the limit is ${limit}. Select fewer fields or smaller pages.`);
}

/** The variables of an operation, with their defaults. */
function withDefaults({ variableDefinitions = [] }: OperationDefinitionNode, values: Variables): Variables {
  const all: Record<string, unknown> = {};
  for (const { variable, defaultValue } of variableDefinitions) {
    if (defaultValue) all[variable.name.value] = valueFromASTUntyped(defaultValue);
  }
  return Object.assign(all, values);
}

/** What the objects and other values in `data` cost, by the same measure as an operation. */
export function costOfResult(data: unknown): number {
  const costOf = (value: unknown): number => {
    if (Array.isArray(value)) return value.reduce((sum, item) => sum + costOf(item), 0);
    if (typeof value !== 'object' || value === null) return leafCost;
    return Object.keys(value).reduce(
      (sum, name) => sum + (name === '__typename' ? 0 : costOf((value as Record<string, unknown>)[name])),
      1,
    );
  };
  // The root is no object of the graph.
  return Math.max(0, Math.ceil(costOf(data) - 1));
}
