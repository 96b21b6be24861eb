/**
 * Why the server closes a socket. What clients of graphql-transport-ws do: after 1000 they come back when they are needed;
 * after 4401 and 4409 they give up; after all others here they come back by themselves, and go on with their cursors.
 */
export const closeCode = {
  /** Nothing was asked for a while. */
  idle: 1000,
  /** The server stops: another instance, or the next one here, goes on. */
  goingAway: 1001,
  /** Too many sockets are open already. */
  tooMany: 1013,
  /** It never said who it is. */
  unauthorized: 4401,
  /** Its credential is not, or no longer, good. */
  forbidden: 4403,
  /** The id of an operation that has not ended yet was used for another one. */
  idTaken: 4409,
  /** It has neither read nor answered for too long. */
  tooSlow: 4410,
} as const;
