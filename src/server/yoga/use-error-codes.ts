import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { isUnavailable } from '../../db/unavailable.ts';
import { DomainError, UnavailableError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';
import { newRequestId } from '../../id.ts';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';
import { withHttp } from '../session/request-error.ts';

/** Adds the code of validation errors. `useLimits` adds the codes of parse errors. */
export function useErrorCodes(): Plugin {
  return {
    onValidate:
      () =>
      ({ valid, result, setResult }) => {
        if (!valid) setResult(result.map((error) => (error.extensions?.code ? error : invalid(error as GraphQLError))));
      },
  };
}

/** The error with the code of a document that is not valid. */
export const invalid = (error: GraphQLError) => withCode(error, 'GRAPHQL_VALIDATION_FAILED');

/** The error with a code. graphql-js names all places of a conflict, however many. */
function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, path, originalError } = error;
  const { errorPlaces } = serverLimits;
  return new GraphQLError(short(message), {
    nodes: nodes?.slice(0, errorPlaces),
    source,
    positions: positions?.slice(0, errorPlaces),
    path,
    originalError,
    extensions: { ...error.extensions, code },
  });
}

/** A message without most of a long value in it: graphql-js repeats values that it refuses. */
function short(message: string): string {
  const { errorMessage } = serverLimits;
  return message.length > errorMessage ? `${message.slice(0, errorMessage)} …` : message;
}

/**
 * Returns a function that converts any error to one that clients can see. Domain errors and coded errors keep their
 * content; an error that the database is unavailable becomes UNAVAILABLE; any other error is logged and replaced by
 * INTERNAL_SERVER_ERROR with the request id of the log entry.
 */
export function maskError(log: Logger) {
  return (error: unknown): Error => {
    const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
    if (isUnavailable(original)) {
      log.warn({ err: original }, 'operation refused: database unavailable');
      return maskUnavailable(error, new UnavailableError());
    }
    if (original instanceof UnavailableError) return maskUnavailable(error, original);
    if (original instanceof DomainError) return atPathOf(error, codedError(original));
    if (original instanceof GraphQLError) return withPublicCode(error as GraphQLError, original);
    const requestId = newRequestId();
    if (isAbort(original)) log.debug({ requestId }, 'client disconnected');
    else log.error({ err: original, requestId }, 'unexpected error');
    const masked = new GraphQLError(`Internal server error. Report the request id ${requestId} to the operator.`, {
      extensions: { code: 'INTERNAL_SERVER_ERROR', requestId },
    });
    return atPathOf(error, masked);
  };
}

const maskUnavailable = (error: unknown, shown: UnavailableError) =>
  atPathOf(error, withHttp(codedError(shown), shown));

const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

function withPublicCode(error: GraphQLError, original: GraphQLError): GraphQLError {
  const code = error.extensions?.code ?? original.extensions?.code;
  // BAD_REQUEST is yoga's code for requests that break GraphQL over HTTP. graphql-js sets no code for variables of a wrong
  // type and unknown operation names.
  if (code === undefined || code === 'BAD_REQUEST') return withCode(error, 'BAD_USER_INPUT');
  if (!error.extensions?.code) return atPathOf(error, original);
  return short(error.message) === error.message ? error : withCode(error, code as string);
}

/** `shown` with the path and location of `error` in the response. */
function atPathOf(error: unknown, shown: GraphQLError): GraphQLError {
  if (!(error instanceof GraphQLError)) return shown;
  const { nodes, positions, path, source } = error;
  return new GraphQLError(short(shown.message), { nodes, positions, path, source, extensions: shown.extensions });
}
