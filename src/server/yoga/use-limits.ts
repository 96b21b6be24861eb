import { type DocumentNode, GraphQLError, type ParseOptions, parse, type Source } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { operationLimits } from '../../graphql/limits.ts';
import { maxAliases, tooComplexError } from '../../graphql/operation-cost.ts';
import { maxIntrospectionCost } from './introspection-cost.ts';
import { invalid } from './use-error-codes.ts';

/** Parses a document of limited length. Throws a coded error for a longer one and for a syntax error. */
function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > operationLimits.length)
    throw tooComplexError(`The query has ${length} characters; the limit is ${operationLimits.length}.`);
  try {
    return parse(source, { ...options, maxTokens: operationLimits.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const hasTooManyTokens = error.message.includes(`more that ${operationLimits.tokens} tokens`);
    const howTo = 'Send values as variables, or split the query.';
    throw hasTooManyTokens
      ? tooComplexError(`The query has more than the limit of ${operationLimits.tokens} tokens. ${howTo}`)
      : invalid(error);
  }
}

/** Limits the length, aliases and introspection of a document. The schema limits its depth and cost. */
export function useLimits(): Plugin {
  return {
    onParse: ({ setParseFn }) => setParseFn(parseBounded),
    onValidate: ({ addValidationRule }) => {
      addValidationRule(maxAliases);
      addValidationRule(maxIntrospectionCost);
    },
  };
}
