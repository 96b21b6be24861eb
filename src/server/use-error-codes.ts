import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { DomainError } from '../domain/error.ts';
import { codedError } from '../graphql/error.ts';
import { limits, refusal } from '../graphql/limit.ts';
import { newRequestId } from '../id.ts';
import type { Logger } from '../log.ts';

/** Gives errors of parsing and validating their codes. */
export function useErrorCodes(): Plugin {
  return {
    onParse:
      () =>
      ({ result, replaceParseResult }) => {
        if (result instanceof GraphQLError && !result.extensions.code) {
          const isLimit = /token/i.test(result.message) && /limit|exceed/i.test(result.message);
          replaceParseResult(withCode(result, isLimit ? 'QUERY_TOO_COMPLEX' : 'GRAPHQL_VALIDATION_FAILED') as never);
        }
      },
    onValidate:
      () =>
      ({ valid, result, setResult }) => {
        if (valid) return;
        setResult(
          result.map((error) =>
            error.extensions?.code ? error : withCode(error as GraphQLError, 'GRAPHQL_VALIDATION_FAILED'),
          ),
        );
      },
  };
}

/** The refusal of a document that the parser gave up on for its length; null for any other error. */
function tooManyTokens({ message }: GraphQLError): GraphQLError | null {
  return /more tha[nt] \d+ tokens/.test(message)
    ? refusal(
        `The query has more than ${limits.tokens} tokens, the limit. Send values as variables, or ask in several queries.`,
      )
    : null;
}

function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, path, originalError } = error;
  return new GraphQLError(message, {
    nodes,
    source,
    positions,
    path,
    originalError,
    extensions: { ...error.extensions, code },
  });
}

/**
 * What a client sees of an error: refusals and coded errors as they are; anything else as INTERNAL_SERVER_ERROR with
 * a request id under which the log has all of it.
 */
export function maskError(log: Logger) {
  return (error: unknown): Error => {
    const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
    if (original instanceof DomainError) return at(error, codedError(original));
    if (original instanceof GraphQLError) {
      const graphError = error as GraphQLError;
      if (graphError.extensions?.code) return graphError;
      if (original.extensions?.code) return at(error, original);
      // What graphql-js says itself, of variables that do not fit or an operation that is not there.
      return withCode(graphError, 'BAD_USER_INPUT');
    }
    const requestId = newRequestId();
    log.error({ err: original, requestId }, 'unexpected error');
    const masked = new GraphQLError(`Something went wrong here. Mention ${requestId} to whoever runs this server.`, {
      extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
    });
    return at(error, masked);
  };
}

/** The error, at the place in the answer where it happened. */
function at(error: unknown, shown: GraphQLError): GraphQLError {
  if (!(error instanceof GraphQLError)) return shown;
  const { nodes, positions, path, source } = error;
  return new GraphQLError(shown.message, { nodes, positions, path, source, extensions: shown.extensions });
}
