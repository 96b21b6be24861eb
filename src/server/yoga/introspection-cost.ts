import {
  type ASTVisitor,
  type DocumentNode,
  getIntrospectionQuery,
  type IntrospectionOptions,
  Kind,
  parse,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';
import { tooComplexError } from '../../graphql/operation-cost.ts';
import { serverLimits } from '../limits.ts';

/** The estimated number of entries in the lists of introspection, as an average over all types. Most types wrap no other. */
const sizes: Record<string, number> = {
  directives: 8,
  fields: 5,
  args: 0.5,
  inputFields: 1,
  enumValues: 0.7,
  interfaces: 0.5,
  possibleTypes: 1,
  ofType: 0.4,
};
/** The estimated cost of a field relative to a name: descriptions are longer. */
const ownCosts: Record<string, number> = { description: 5 };

const everything: IntrospectionOptions = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};
/** The query with which tools read a whole schema. */
const wholeSchema = parse(getIntrospectionQuery(everything));

/** The estimated number of values that the introspection of a document reads from a schema with `types` types. */
function introspectionCost(document: DocumentNode, types: number): number {
  const costOf = selectionCost(document, types);
  return document.definitions.flatMap(introspectionIn).reduce((sum, selectionSet) => sum + costOf(selectionSet), 0);
}

/** The selections of `__schema` and `__type` in a definition, without those in fragments that it spreads. */
function introspectionIn(node: object): SelectionSetNode[] {
  const { selectionSet } = node as { selectionSet?: SelectionSetNode };
  return (selectionSet?.selections ?? []).flatMap((selection) => {
    if (selection.kind === Kind.FRAGMENT_SPREAD || !selection.selectionSet) return [];
    const isIntrospection = selection.kind === Kind.FIELD && /^__(schema|type)$/.test(selection.name.value);
    return isIntrospection ? [selection.selectionSet] : introspectionIn(selection);
  });
}

/** Returns a function that estimates the cost of a selection set in a document. */
function selectionCost({ definitions }: DocumentNode, types: number): (selectionSet: SelectionSetNode) => number {
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const fragmentCosts = new Map<string, number>();
  const costOfFragment = (name: string): number => {
    const known = fragmentCosts.get(name);
    if (known !== undefined) return known;
    // Ends the recursion of a fragment that spreads itself, which another validation rule refuses.
    fragmentCosts.set(name, 0);
    const fragment = fragments.get(name);
    const cost = fragment ? costOf(fragment.selectionSet) : 0;
    fragmentCosts.set(name, cost);
    return cost;
  };
  const costOf = ({ selections }: SelectionSetNode): number =>
    selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return sum + costOfFragment(selection.name.value);
      const inner = selection.selectionSet ? costOf(selection.selectionSet) : 0;
      if (selection.kind === Kind.INLINE_FRAGMENT) return sum + inner;
      const { value: name } = selection.name;
      const size = name === 'types' ? types : (sizes[name] ?? 1);
      return sum + (ownCosts[name] ?? 1) + size * inner;
    }, 0);
  return costOf;
}

/**
 * A validation rule that limits introspection, which needs no credential, to `introspectionFactor` times the cost of the
 * whole schema. The cost rule of the schema covers all other fields, and no introspection.
 */
export function maxIntrospectionCost(context: ValidationContext): ASTVisitor {
  return {
    Document(document) {
      const types = Object.keys(context.getSchema().getTypeMap()).length;
      const { introspectionFactor } = serverLimits;
      const limit = introspectionFactor * introspectionCost(wholeSchema, types);
      if (introspectionCost(document, types) <= limit) return;
      const message = `The query reads more than ${introspectionFactor} times the whole schema. Split it, or read single types.`;
      context.reportError(tooComplexError(message));
    },
  };
}
