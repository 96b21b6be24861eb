import { type DocumentNode, GraphQLError, type ParseOptions, parse, type Source } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { limits, maxAliases, tooComplexError } from '../../graphql/limits.ts';
import { maxIntrospectionCost } from './introspection-cost.ts';
import { invalid } from './use-error-codes.ts';

/** Parses a document of bounded length. Throws a coded error for one that is longer, or no GraphQL. */
function parseBounded(source: string | Source, options?: ParseOptions): DocumentNode {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > limits.length)
    throw tooComplexError(`The query has ${length} characters; the limit is ${limits.length}.`);
  try {
    return parse(source, { ...options, maxTokens: limits.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    const isLong = error.message.includes(`more that ${limits.tokens} tokens`);
    const howTo = 'Send values as variables, or ask in several queries.';
    throw isLong
      ? tooComplexError(`The query has more than ${limits.tokens} tokens, the limit. ${howTo}`)
      : invalid(error);
  }
}

/** Bounds what a document may hold before anything of it is executed; depth and cost are bound by the schema. */
export function useLimits(): Plugin {
  return {
    onParse: ({ setParseFn }) => setParseFn(parseBounded),
    onValidate: ({ addValidationRule }) => {
      addValidationRule(maxAliases);
      addValidationRule(maxIntrospectionCost);
    },
  };
}
