/** Fixed limits of HTTP, WebSockets and event streams that a client can meet. Limits that an operator sets are in config/. */
export const serverLimits = {
  /**
   * Connections that the system keeps until the server accepts them, if `net.core.somaxconn` allows as many. With Node's 511,
   * a burst of connections made the system drop those of honest clients, which try again after seconds.
   */
  backlog: 4096,
  /** Sockets that listen at the port. Each accepts one connection in a turn of the event loop. */
  acceptors: 16,
  /** Bytes of the headers of one HTTP request. Node.js answers 431 to a request with more. */
  headerBytes: 16_384,
  /** Milliseconds in which a whole HTTP request, uploads included, must arrive. */
  requestMs: 900_000,
  /** Milliseconds in which the body of an operation without files must arrive. */
  bodyMs: 60_000,
  /** Bytes of a body, or of a socket's message, without an accepted credential. Larger ones share MAX_REQUEST_MEMORY_BYTES. */
  anonymousBytes: 16_384,
  /** JSON values in a body or in a socket's message. */
  jsonValues: 100_000,
  /** Bytes of a body that is not JSON: a form, or a bare document. */
  formBytes: 1_000_000,
  /** Bytes per second that a body must have on average, after `timing.request.slowBodyMs`. */
  bodyBytesPerSecond: 1000,
  /** Requests of one connection whose responses have not been sent. */
  pipelinedRequests: 100,
  /** Credentials that are authenticated with one set of statements. */
  credentialBatch: 1000,
  /** Credentials that wait to be authenticated. */
  waitingCredentials: 10_000,
  /** Bytes of the headers of one part of a multipart body. */
  partHeaderBytes: 8192,
  /** Pieces in which one message of a socket may arrive. */
  socketPieces: 16_384,
  /** Fragments of one message of a socket. */
  socketFragments: 1024,
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
  /** Bytes of large responses that one API key gets in a second, on average. */
  keyBytesPerSecond: 64_000_000,
  /** Bytes of large responses that one end user gets in a second, on average. */
  userBytesPerSecond: 2_000_000,
  /** Bytes that a unit of cost in a response counts as, if the response has fewer bytes. */
  costBytes: 200,
  /** Queries and mutations of one API key that are carried out at once. */
  keyOperations: 1000,
  /** Queries and mutations of one end user that are carried out at once. */
  userOperations: 8,
  /** Milliseconds after which an operation no longer counts as one that is carried out: it waits for something. */
  operationHoldMs: 1000,
  /** Queries and mutations of one client that wait until they are carried out. */
  waitingOperations: 200,
  /** Bytes of memory that the waiting queries and mutations of one client may take, estimated. */
  waitingBytes: 32_000_000,
  /** Bytes of memory for one character of a document that has been parsed, estimated. */
  parsedCharacterBytes: 200,
  /** Clients whose recent large responses are remembered. */
  pacedClients: 10_000,
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
  /** Milliseconds for which the documents of all clients may hold a turn of the event loop while they are parsed and validated. */
  preparingMs: 10,
  /** Characters in all cached documents together; a parsed document is about 200 times as large. */
  cachedDocuments: 400_000,
  /** Characters in one cached document; a longer document is parsed for each request. */
  cachedDocument: 20_000,
  /** Credentials whose principals are cached. */
  cachedCredentials: 10_000,
  /** Characters in the user ID in a token of an identity provider. */
  externalUserId: 256,
  /** Bytes of a document of an identity provider: its discovery document, or its keys. */
  identityDocumentBytes: 1_000_000,
  /** Keys of an identity provider. */
  identityKeys: 100,
  /** Milliseconds in which an identity provider must answer. */
  identityMs: 5000,
  /** Milliseconds before an identity provider that failed is asked again. */
  identityRetryMs: 2000,
  /** Milliseconds before unknown key IDs in tokens make the server read the keys again. */
  identityCooldownMs: 30_000,
  /** Seconds that the clock of an identity provider can be ahead of the server's. */
  identityClockSeconds: 10,
  /** Introspection in one document, as a multiple of the cost of reading the whole schema once. */
  introspectionFactor: 1.5,
} as const;
