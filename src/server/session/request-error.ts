import { GraphQLError } from 'graphql';
import { CredentialError, DomainError, NoRoomError, RateLimitedError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';

/** The HTTP status of an error that refuses a whole request. */
export function httpStatus(error: DomainError): number {
  if (error instanceof RateLimitedError) return 429;
  if (error instanceof NoRoomError) return 507;
  return error instanceof CredentialError ? 401 : 403;
}

/**
 * An error that refuses a whole request, as a GraphQL error with its HTTP status for yoga. Returns anything but a
 * DomainError unchanged.
 */
export function requestError(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  const { message, extensions } = codedError(error);
  return new GraphQLError(message, { extensions: { ...extensions, http: { status: httpStatus(error) } } });
}

/** The status and JSON body of the response to a request that failed before it was executed. `mask`: see `maskError`. */
export function errorResponse(error: unknown, mask: (error: unknown) => Error): { status: number; body: object } {
  return { status: error instanceof DomainError ? httpStatus(error) : 500, body: { errors: [mask(error)] } };
}
