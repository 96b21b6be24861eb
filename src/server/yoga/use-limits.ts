import { type DocumentNode, GraphQLError, type ParseOptions, parse, type Source } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { operationLimits } from '../../graphql/limits.ts';
import { maxAliases } from '../../graphql/max-aliases.ts';
import { tooComplexError } from '../../graphql/operation-cost.ts';
import { comparisonCost, isNestedDeeper, repeatsTooOften } from './document-size.ts';
import { maxIntrospectionCost } from './introspection-cost.ts';
import { invalid } from './use-error-codes.ts';
import { variablesError } from './variables.ts';

/** Parses a document within the limits. Throws a coded error for one beyond them and for a syntax error. */
function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
  const body = typeof source === 'string' ? source : source.body;
  const { length, brackets, tokens, comparisons } = operationLimits;
  if (body.length > length) throw tooComplexError(`The query has ${body.length} characters; the limit is ${length}.`);
  if (isNestedDeeper(body, brackets))
    throw tooComplexError(
      `The brackets of the query nest deeper than the limit of ${brackets}. Send values as variables.`,
    );
  const document = parseTokens(source, { ...options, maxTokens: tokens });
  if (comparisonCost(document) <= comparisons) return document;
  throw repeatsTooOften();
}

function parseTokens(source: string | Source, options: ParseOptions & { maxTokens: number }): DocumentNode {
  const { maxTokens } = options;
  try {
    return parse(source, options);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const hasTooManyTokens = error.message.includes(`more that ${maxTokens} tokens`);
    const howTo = 'Send values as variables, or split the query.';
    throw hasTooManyTokens
      ? tooComplexError(`The query has more than the limit of ${maxTokens} tokens. ${howTo}`)
      : invalid(error);
  }
}

/**
 * Limits the length, nesting, repetition, aliases and introspection of a document, and the variables of queries and
 * mutations. `useAnswerLimit` limits its depth and cost; `SharedResults` limits subscriptions.
 */
export function useLimits(): Plugin {
  return {
    onParse: ({ setParseFn }) => setParseFn(parseBounded),
    onValidate: ({ addValidationRule }) => {
      addValidationRule(maxAliases);
      addValidationRule(maxIntrospectionCost);
      return ({ result, setResult }) => {
        if (result.some(({ message }) => message === 'Validation aborted.')) setResult([repeatsTooOften()]);
      };
    },
    onExecute: ({ args, setResultAndStopExecution }) => {
      const error = variablesError(args.variableValues);
      if (error) setResultAndStopExecution({ errors: [error] });
    },
  };
}
