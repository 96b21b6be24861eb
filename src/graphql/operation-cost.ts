import type { ComplexityErrorFn } from '@pothos/plugin-complexity';
import { type ASTVisitor, GraphQLError, type ValidationContext } from 'graphql';
import { operationLimits } from './limits.ts';

/** The error for an operation beyond a limit. */
export const tooComplexError = (message: string) =>
  new GraphQLError(message, { extensions: { code: 'QUERY_TOO_COMPLEX' } });

/** The error for an operation that nests too deep or costs too much, for Pothos' complexity plugin. */
export const tooComplex: ComplexityErrorFn = (kind, { depth, complexity }) =>
  kind === 'Depth'
    ? tooComplexError(
        `The query is ${depth} levels deep; the limit is ${operationLimits.depth}. Split it into several queries.`,
      )
    : tooComplexError(
        `The query costs ${complexity}; the limit is ${operationLimits.cost}. Select fewer fields or smaller pages.`,
      );

/** The assumed length of a list that is not a connection. */
const assumedLength = 5;

/** The cost of a field: a connection multiplies its selection by the page size, another list by an assumed length. */
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
  return { field: isOfConnection ? 0 : 1, multiplier: isList && !isOfConnection ? assumedLength : 1 };
}

const clamp = (size: number) => Math.min(Math.max(size, 1), operationLimits.pageSize);

/** A validation rule that limits aliases: with them, a document can select one expensive field any number of times. */
export function maxAliases(context: ValidationContext): ASTVisitor {
  let aliases = 0;
  return {
    Field({ alias }) {
      if (alias) aliases += 1;
      if (aliases === operationLimits.aliases + 1) {
        context.reportError(
          tooComplexError(
            `The query has more than ${operationLimits.aliases} aliases, the limit. Split it into several queries.`,
          ),
        );
      }
    },
  };
}
