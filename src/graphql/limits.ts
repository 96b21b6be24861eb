import type { ComplexityErrorFn } from '@pothos/plugin-complexity';
import { type ASTVisitor, GraphQLError, type ValidationContext } from 'graphql';

/** What one operation may ask for. `cost`: about the number of values in the answer. */
export const limits = {
  depth: 16,
  cost: 30_000,
  introspection: 400_000,
  tokens: 10_000,
  /** Of a document, comments and all, in characters. */
  length: 200_000,
  aliases: 100,
  pageSize: 100,
} as const;

/** The refusal of an operation that asks for too much. */
export const tooComplexError = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });

/** The refusal of an operation that nests too deep or asks for too much. */
export const tooComplex: ComplexityErrorFn = (kind, { depth, complexity }) =>
  kind === 'Depth'
    ? tooComplexError(`The query is ${depth} levels deep; the limit is ${limits.depth}. Ask in several queries.`)
    : tooComplexError(
        `The query costs ${complexity}; the limit is ${limits.cost}. Ask for fewer fields or smaller pages.`,
      );

/** What lists that are no connections are taken to hold. */
const shortList = 5;

/** A field's cost: a connection multiplies by its page, another list by a few. */
export function complexityOf(
  args: Record<string, unknown>,
  _ctx: unknown,
  field: { name: string; type: { toString(): string }; args: ReadonlyArray<{ name: string }> },
) {
  const size = args.first ?? args.last;
  if (field.args.some(({ name }) => name === 'first'))
    return { field: 1, multiplier: clamp(typeof size === 'number' ? size : 20) };
  if (Array.isArray(args.ids)) return { field: 1, multiplier: clamp(args.ids.length) };
  const isOfConnection = field.name === 'edges' || field.name === 'nodes';
  const isList = field.type.toString().startsWith('[');
  return { field: isOfConnection ? 0 : 1, multiplier: isList && !isOfConnection ? shortList : 1 };
}

const clamp = (size: number) => Math.min(Math.max(size, 1), limits.pageSize);

/** A validation rule: at most so many aliases in a document, which could ask for one thing over and over. */
export function maxAliases(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  return {
    Field({ alias }) {
      if (alias) aliases += 1;
      if (aliases === limits.aliases + 1) {
        context.reportError(
          tooComplexError(`The query has more than ${limits.aliases} aliases, the limit. Ask in several queries.`),
        );
      }
    },
  };
}
