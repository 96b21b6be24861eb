/**
 * The codes with which the server closes a WebSocket. A client of graphql-transport-ws reconnects when it next needs the socket
 * after 1000, gives up after 4401 and 4409, and reconnects at once after the others and resumes with its cursors.
 */
export const closeCode = {
  /** No operation was under way for the idle time. */
  idle: 1000,
  /** The server is stopping. graphql-ws sends it. */
  goingAway: 1001,
  /** A message is too large. The library sends it, too. */
  tooLarge: 1009,
  /** Too many sockets are open, or the server has no memory for one more large message. */
  tooMany: 1013,
  /** The database has been away for long. */
  unavailable: 1013,
  /** The client has sent no credential in time. */
  unauthorized: 4401,
  /** The credential is not valid or has ended. */
  forbidden: 4403,
  /** The client reused the id of an operation that has not ended. */
  idTaken: 4409,
  /** The client has neither read nor answered in time, or a message of it took too long. */
  tooSlow: 4410,
} as const;
