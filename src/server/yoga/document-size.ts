import { type DocumentNode, type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { tooComplexError } from '../../graphql/operation-cost.ts';

/**
 * Whether the brackets of a document nest deeper than `limit`. Reads the text once and ignores brackets in strings and
 * comments. The parser recurses for each bracket, and its stack is small.
 */
export function isNestedDeeper(source: string, limit: number): boolean {
  let depth = 0;
  // Each match is a whole string or comment, or one bracket.
  for (const [token] of source.matchAll(/"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\n\r])*"?|#[^\n\r]*|[[\]{}()]/g)) {
    if (token === '{' || token === '[' || token === '(') depth += 1;
    else if (token === '}' || token === ']' || token === ')') depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

/** The error for a document whose comparison would cost too much. */
export const repeatsTooOften = () =>
  tooComplexError('The query repeats fields or fragments too often. Split it into several queries.');

/** What it costs to compare a pair of fragments, relative to a pair of fields without arguments and selections. */
const fragmentCost = 2;
/** Characters of arguments that cost as much as the field. */
const argumentLength = 4;

/**
 * The estimated cost of finding fields that cannot be merged: validation compares all pairs of fields with the same response
 * name, with their arguments and selections, and all pairs of fragments. It grows with the square of the document. The
 * estimate takes all fields for fields of the same selection; a unit takes about a microsecond.
 */
export function comparisonCost({ definitions }: DocumentNode): number {
  const fields = new Map<string, { many: number; cost: number }>();
  let fragments = 0;
  const count = ({ selections }: SelectionSetNode) => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const { value: name } = selection.alias ?? selection.name;
        const known = fields.get(name) ?? { many: 0, cost: 0 };
        fields.set(name, { many: known.many + 1, cost: known.cost + costOf(selection) });
      }
      if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet) count(selection.selectionSet);
    }
  };
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments += 1;
    if ('selectionSet' in definition && definition.selectionSet) count(definition.selectionSet);
  }
  const ofFragments = fragmentCost * pairsOf(fragments);
  return [...fields.values()].reduce((sum, { many, cost }) => sum + (pairsOf(many) * cost) / many, ofFragments);
}

const pairsOf = (many: number) => (many * (many - 1)) / 2;

/** The cost of a field in one comparison. */
function costOf({ arguments: args = [], selectionSet }: FieldNode): number {
  const written = (args.at(-1)?.loc?.end ?? 0) - (args[0]?.loc?.start ?? 0);
  const spreads = selectionSet?.selections.filter(({ kind }) => kind === Kind.FRAGMENT_SPREAD).length ?? 0;
  return 1 + written / argumentLength + (selectionSet ? 1 : 0) + spreads;
}
