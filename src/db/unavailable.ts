/** SQLSTATE codes, whole or by class, of a server that cannot serve now: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const states = [
  /^08/, // connection exception
  /^28/, // the server refuses the login
  /^3D000$/, // the database does not exist
  /^25006$/, // read-only: a former primary after a failover
  /^25P03$/, // the server ended a transaction that was idle for too long
  /^55P03$/, // a lock was not free in time: its holder may be a connection that is lost
  /^53[134]00$/, // disk full, too many connections, a configured limit
  /^57P0[1-5]$/, // shutdown, crash, start, dropped database, idle session
  /^58030$/, // I/O error
];

/** Codes of Prisma: not reachable, timeouts, TLS, closed, no connection or transaction in time, too many connections. */
const prismaCodes = new Set(['P1000', 'P1001', 'P1002', 'P1008', 'P1010', 'P1011', 'P1017', 'P2024', 'P2028', 'P2037']);

/** Kinds of errors of Prisma's driver adapters. */
const adapterKinds = new Set([
  ...['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TlsConnectionError', 'TooManyConnections'],
  ...['AuthenticationFailed', 'DatabaseAccessDenied', 'DatabaseDoesNotExist'],
]);

const socketCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN'],
]);

/** Errors of the driver `pg`, and of pg-boss, that have no code. */
const driverMessages = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
  'Query was cancelled before it could be sent to the server',
  'LISTEN/NOTIFY connection ended',
  'LISTEN/NOTIFY heartbeat timed out',
]);

/** What pg-boss appends to the message of an error. */
const bossSuffix = / \(Queue: [^)]*\)$/;

/**
 * Whether a statement or transaction failed because the database cannot be reached or cannot serve now, so that the same
 * statement is likely to succeed later. Accepts errors of Prisma, of its driver adapters, of `pg`, PGlite and pg-boss. After such
 * an error of a COMMIT it is unknown whether the transaction was committed.
 */
export function isUnavailable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && [error, adapterCause(error)].some(isUnavailableItself);
}

/** The description of the driver's error within an error of Prisma. */
function adapterCause(error: object): unknown {
  const { meta, name, cause } = error as Partial<Error> & { meta?: { driverAdapterError?: { cause?: unknown } } };
  return name === 'DriverAdapterError' ? cause : meta?.driverAdapterError?.cause;
}

function isUnavailableItself(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, originalCode, kind, message, severity, syscall, clientVersion } = error as Record<string, unknown>;
  if (typeof kind === 'string') return adapterKinds.has(kind) || isState(originalCode ?? code);
  if (typeof severity === 'string') return isState(code);
  if (typeof code === 'string' && prismaCodes.has(code)) return clientVersion !== undefined;
  if (typeof code === 'string' && typeof syscall === 'string') return socketCodes.has(code);
  return typeof message === 'string' && driverMessages.has(message.replace(bossSuffix, ''));
}

const isState = (code: unknown): boolean => typeof code === 'string' && states.some((state) => state.test(code));
