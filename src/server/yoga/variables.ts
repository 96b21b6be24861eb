import { GraphQLError } from 'graphql';
import { operationLimits } from '../../graphql/limits.ts';

const tooDeep = new GraphQLError(
  `The variables are nested deeper than the limit of ${operationLimits.variableDepth} levels. Send flatter values.`,
  { extensions: { code: 'BAD_USER_INPUT' } },
);

/** The error that refuses the variables of an operation: code that reads them recurses. Null: they are accepted. */
export const variablesError = (variables: unknown): GraphQLError | null =>
  isDeeper(variables, operationLimits.variableDepth) ? tooDeep : null;

function isDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  if (Array.isArray(value)) return value.some((item) => isDeeper(item, limit - 1));
  for (const key in value) {
    if (isDeeper((value as Record<string, unknown>)[key], limit - 1)) return true;
  }
  return false;
}
