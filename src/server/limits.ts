/** Fixed limits of HTTP, WebSockets and event streams that a client can meet. Limits that an operator sets are in config/. */
export const serverLimits = {
  /** Bytes of the headers of one HTTP request. Node.js answers 431 to a request with more. */
  headerBytes: 16_384,
  /** Milliseconds in which a whole HTTP request, uploads included, must arrive. */
  requestMs: 900_000,
  /** Milliseconds in which the body of an operation without files must arrive. */
  bodyMs: 60_000,
  /** Fields of a multipart body besides its files: `operations` and `map`. */
  multipartFields: 2,
  /** Parts of a multipart body beyond its allowed number of files. */
  multipartExtraParts: 10,
  /** Operations under way on one WebSocket. */
  socketOperations: 1000,
  /** Queries and mutations under way on one WebSocket: their results can be large. */
  socketResults: 100,
  /** Bytes buffered for a WebSocket client that does not read; one more event per operation can be pending. */
  socketBufferedBytes: 1_048_576,
  /** Characters of a response that is serialized at once; a longer one is written in pieces and takes shared memory. */
  plainResponse: 65_536,
  /** The part of `MAX_RESPONSE_MEMORY_BYTES` that the responses of one API key may take. */
  keyMemoryShare: 0.5,
  /** The part of `MAX_RESPONSE_MEMORY_BYTES` that the responses of one end user may take. */
  userMemoryShare: 0.125,
  /** Errors in one response. */
  errors: 100,
  /** Characters of the message of an error in a response. */
  errorMessage: 1000,
  /** Places in the document that an error names. */
  errorPlaces: 10,
  /** Queries and mutations on one reserved event stream whose results the client has not received. */
  streamResults: 100,
  /** Characters in the variables of a subscription as JSON, which stay in memory while it is open. */
  subscriptionVariables: 65_536,
  /** Characters in all cached documents together; a parsed document is about 200 times as large. */
  cachedDocuments: 400_000,
  /** Characters in one cached document; a longer document is parsed for each request. */
  cachedDocument: 20_000,
  /** Credentials whose principals are cached. */
  cachedCredentials: 10_000,
  /** Characters in the user ID in a token of an identity provider. */
  externalUserId: 256,
  /** Introspection in one document, as a multiple of the cost of reading the whole schema once. */
  introspectionFactor: 1.5,
} as const;
