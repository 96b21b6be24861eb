import { type DocumentNode, parse } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { limits, maxAliases } from '../graphql/limit.ts';

/** Bounds what a document may hold before anything of it is executed; depth and cost are bound by the schema. */
export function useLimits(): Plugin {
  return {
    onParse: ({ setParseFn }) => {
      setParseFn(
        (source: Parameters<typeof parse>[0], options?: object): DocumentNode =>
          parse(source, { ...options, maxTokens: limits.tokens }),
      );
    },
    onValidate: ({ addValidationRule }) => addValidationRule(maxAliases),
  };
}
