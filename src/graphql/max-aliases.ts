import type { ASTVisitor, ValidationContext } from 'graphql';
import { operationLimits } from './limits.ts';
import { tooComplexError } from './operation-cost.ts';

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
