import { type ExecutionResult, GraphQLError } from 'graphql';
import { isUnavailable } from '../../db/unavailable.ts';
import { CredentialError, DomainError, NoRoomError, RateLimitedError, UnavailableError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';

/** How soon a client may retry what was refused because a part of the server is unavailable. */
const retryAfterSeconds = 2;

/** The HTTP status of an error that refuses a whole request. */
export function httpStatus(error: DomainError): number {
  if (error instanceof RateLimitedError) return 429;
  if (error instanceof UnavailableError) return 503;
  if (error instanceof NoRoomError) return 507;
  return error instanceof CredentialError ? 401 : 403;
}

/** The HTTP headers of a response to a request that an error refuses. */
function httpHeaders(error: unknown): Record<string, string> {
  if (error instanceof UnavailableError) return { 'retry-after': String(retryAfterSeconds) };
  return error instanceof NoRoomError ? { 'retry-after': String(error.retryAfterSeconds) } : {};
}

/**
 * An error that refuses a whole request, as a GraphQL error with its HTTP status for yoga. Returns anything but a
 * DomainError unchanged.
 */
export function requestError(error: unknown): unknown {
  return error instanceof DomainError ? withHttp(codedError(error), error) : error;
}

/** `shown` with the HTTP status and headers of `error` as `extensions.http`, which yoga reads and clients do not see. */
export function withHttp(shown: GraphQLError, error: DomainError): GraphQLError {
  const http = { status: httpStatus(error), headers: httpHeaders(error) };
  const extensions = Object.defineProperty({ ...shown.extensions }, 'http', { value: http });
  return new GraphQLError(shown.message, { extensions });
}

interface Http {
  status: number;
  headers: Record<string, string>;
}

/**
 * The HTTP status and headers of a result, from `extensions.http` of its errors. Yoga sets some of them without headers, and
 * `spec` for a status that only application/graphql-response+json has.
 */
export function httpOf({ errors = [] }: ExecutionResult): Http {
  const found = errors.map(({ extensions }) => extensions.http as (Partial<Http> & { spec?: true }) | undefined);
  const { status = 200, headers = {} } = found.find((http) => http !== undefined && !http.spec) ?? {};
  return { status, headers };
}

/** The parts of the response to a request that failed before it was executed. `mask`: see `maskError`. */
export function errorResponse(
  error: unknown,
  mask: (error: unknown) => Error,
): { status: number; headers: Record<string, string>; body: object } {
  const shown = isUnavailable(error) ? new UnavailableError() : error;
  const status = shown instanceof DomainError ? httpStatus(shown) : 500;
  return { status, headers: httpHeaders(shown), body: { errors: [mask(error)] } };
}
