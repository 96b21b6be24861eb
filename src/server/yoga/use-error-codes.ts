import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { DomainError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';
import { newRequestId } from '../../id.ts';
import type { Logger } from '../../log.ts';

/** Gives errors of validation their code; those of parsing have theirs from `useLimits`. */
export function useErrorCodes(): Plugin {
  return {
    onValidate:
      () =>
      ({ valid, result, setResult }) => {
        if (!valid) setResult(result.map((error) => (error.extensions?.code ? error : invalid(error as GraphQLError))));
      },
  };
}

/** The error, as one of a document that cannot be executed. */
export const invalid = (error: GraphQLError) => withCode(error, 'GRAPHQL_VALIDATION_FAILED');

function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, path, originalError } = error;
  const extensions = { ...error.extensions, code };
  return new GraphQLError(message, { nodes, source, positions, path, originalError, extensions });
}

/**
 * What a client sees of an error: refusals and coded errors as they are; anything else as INTERNAL_SERVER_ERROR with
 * a request id under which the log has all of it.
 */
export function maskError(log: Logger) {
  return (error: unknown): Error => {
    const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
    if (original instanceof DomainError) return at(error, codedError(original));
    if (original instanceof GraphQLError) return shownError(error as GraphQLError, original);
    const requestId = newRequestId();
    // Nobody waits for the answer any more: nothing went wrong here.
    if (isAbort(original)) log.debug({ requestId }, 'the client has gone');
    else log.error({ err: original, requestId }, 'unexpected error');
    const masked = new GraphQLError(`Something went wrong here. Mention ${requestId} to whoever runs this server.`, {
      extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
    });
    return at(error, masked);
  };
}

const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

function shownError(error: GraphQLError, original: GraphQLError): GraphQLError {
  const code = error.extensions?.code ?? original.extensions?.code;
  // Yoga's word for a request that is no GraphQL over HTTP; and none for what graphql-js says itself, of variables that
  // do not fit or an operation that is not there.
  if (code === undefined || code === 'BAD_REQUEST') return withCode(error, 'BAD_USER_INPUT');
  return error.extensions?.code ? error : at(error, original);
}

/** The error, at the place in the answer where it happened. */
function at(error: unknown, shown: GraphQLError): GraphQLError {
  if (!(error instanceof GraphQLError)) return shown;
  const { nodes, positions, path, source } = error;
  return new GraphQLError(shown.message, { nodes, positions, path, source, extensions: shown.extensions });
}
