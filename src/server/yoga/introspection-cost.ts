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
import { tooComplexError } from '../../graphql/limits.ts';

/** About how many entries the lists of introspection hold in the mean of all types; most types wrap no other. */
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
/** A description is about so much longer than a name. */
const ownCosts: Record<string, number> = { description: 5 };

const everything: IntrospectionOptions = {
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
};
/** What tools send to read a whole schema. */
const wholeSchema = parse(getIntrospectionQuery(everything));

/** About how many values of a schema with so many types a document asks for. */
function introspectionCost({ definitions }: DocumentNode, types: number): number {
  const fragments = new Map(
    definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  );
  const costs = new Map<string, number>();
  const costOfSpread = (name: string): number => {
    const known = costs.get(name);
    if (known !== undefined) return known;
    // A fragment that spreads itself is refused by a rule of GraphQL's own.
    costs.set(name, 0);
    const fragment = fragments.get(name);
    const cost = fragment ? costOf(fragment.selectionSet) : 0;
    costs.set(name, cost);
    return cost;
  };
  const costOf = ({ selections }: SelectionSetNode): number =>
    selections.reduce((sum, selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return sum + costOfSpread(selection.name.value);
      const inner = selection.selectionSet ? costOf(selection.selectionSet) : 0;
      if (selection.kind === Kind.INLINE_FRAGMENT) return sum + inner;
      const { value: name } = selection.name;
      const size = name === 'types' ? types : (sizes[name] ?? 1);
      return sum + (ownCosts[name] ?? 1) + size * inner;
    }, 0);

  let total = 0;
  const find = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD || !selection.selectionSet) continue;
      const isOfSchema = selection.kind === Kind.FIELD && /^__(schema|type)$/.test(selection.name.value);
      if (isOfSchema) total += costOf(selection.selectionSet);
      else find(selection.selectionSet);
    }
  };
  for (const node of definitions) if ('selectionSet' in node) find(node.selectionSet);
  return total;
}

/**
 * A validation rule: of the schema, which anybody may read, a document asks for no more than one and a half times what
 * tools ask for to read the whole of it. Other fields are priced by their own rule, which leaves introspection out.
 */
export function maxIntrospectionCost(context: ValidationContext): ASTVisitor {
  return {
    Document(document) {
      const types = Object.keys(context.getSchema().getTypeMap()).length;
      const limit = 1.5 * introspectionCost(wholeSchema, types);
      if (introspectionCost(document, types) <= limit) return;
      const howTo = 'Ask for types one by one, or in several queries.';
      context.reportError(
        tooComplexError(`The query asks for too much of the schema: more than one and a half of it. ${howTo}`),
      );
    },
  };
}
