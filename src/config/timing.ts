/**
 * The server's internal intervals and time limits, in milliseconds. They are part of the configuration object and not of
 * the environment: no operator needs to change them, and tests shorten them.
 */
export interface Timing {
  readonly run: {
    /** How long a claimed run stays with its worker without a renewal. */
    readonly leaseMs: number;
    readonly leaseRenewalMs: number;
    /** How often a worker looks for runs whose lease ran out and for runs that no worker claimed. */
    readonly sweepMs: number;
    /** How soon a worker looks again for runs that it could not claim. */
    readonly claimRetryMs: number;
    /** How long the steps of a run with `recordSteps: NONE` are kept after its end, for subscribers that lag. */
    readonly stepRetentionMs: number;
    /** How long a suspect, a run that has lost a worker, is executed before the worker takes over the next suspect. */
    readonly quarantineMs: number;
    /** How soon the deltas that the database refused are stored again. */
    readonly deltaRetryMs: number;
  };
  readonly chore: {
    /** How often unused bytes of files and steps that are not recorded are deleted. */
    readonly tidyMs: number;
    /** How often threads past the time to live of their workspace are deleted. */
    readonly retentionMs: number;
    /** How often the embedded database is vacuumed where it has dead rows. */
    readonly vacuumMs: number;
  };
  readonly database: {
    /** How often a process asks whether PostgreSQL answers. */
    readonly probeMs: number;
    /** How long PostgreSQL may take to answer before it is asked on a new connection, and then before it is away. */
    readonly answerMs: number;
    /** How long an outage lasts before clients are sent elsewhere. */
    readonly awayMs: number;
    /** How long the check behind /ready waits for database and queue. */
    readonly readyMs: number;
    /** The time limit of a statement of the queue. */
    readonly queueStatementMs: number;
  };
  /** How often a feed reads its thread without a message from the bus, which may lose the last message. */
  readonly feedPollMs: number;
  readonly bus: {
    readonly pingMs: number;
    /** How long the other end of a link may take to answer before the link counts as lost. */
    readonly answerMs: number;
    readonly firstRetryMs: number;
    readonly maxRetryMs: number;
  };
  readonly credential: {
    /** How long an authenticated credential, or a set of signing keys, is used without a look-up. */
    readonly cacheMs: number;
    /** How often the credentials of open streams and sockets are checked. */
    readonly checkMs: number;
  };
  readonly request: {
    /** How long the headers of a request may take to arrive, from the start of the connection or the end of the last request. */
    readonly headersMs: number;
    /** How often the server looks for requests whose headers are late. */
    readonly headersCheckMs: number;
    /** How long a body may arrive more slowly than `serverLimits.bodyBytesPerSecond`. */
    readonly slowBodyMs: number;
    /** How long a connection stays open after a response that was sent before the end of the request's body. */
    readonly lingerMs: number;
    /** How often the free space of the disks is read. */
    readonly freeSpaceMs: number;
  };
  readonly socket: {
    /** How long a new socket may take to send its credential. */
    readonly credentialMs: number;
    /** How long a message may take to arrive. */
    readonly messageMs: number;
    /** How long a client may take to answer a close frame. */
    readonly closeMs: number;
    /** How long operations may take to send the reason of their end after their credential ended. */
    readonly finalMessageMs: number;
    /** How long a reserved event stream waits for its client to open it. */
    readonly openStreamMs: number;
    /** How often the server checks that the client of a socket or stream is alive and reads. */
    readonly livenessMs: number;
  };
  readonly offload: {
    readonly countTokensMs: number;
    readonly checkSchemaMs: number;
    /** The time limit of reading one OpenAPI document. */
    readonly readDocumentMs: number;
    /** How long counting tokens and reading a document wait for a free thread. */
    readonly queueMs: number;
    /** How long checking a schema waits for a free thread. */
    readonly checkQueueMs: number;
  };
  readonly ingestion: {
    /** The time limit of reading one file. */
    readonly readMs: number;
    /** The first wait before a file is read again after a fault of the server; it grows with each attempt. */
    readonly retryMs: number;
    readonly heartbeatMs: number;
    /** How long a claimed file may go without a heartbeat before another worker claims it. */
    readonly abandonedMs: number;
    /** How long a search waits for files that are being made searchable. */
    readonly searchWaitMs: number;
    /** The time limit of embedding a query. */
    readonly queryEmbeddingMs: number;
  };
  readonly python: {
    readonly startMs: number;
    /** The time limit of a request to an interpreter that runs no program. */
    readonly requestMs: number;
    readonly installMs: number;
    /** How long a program may take to stop after its time is over before its process is killed. */
    readonly graceMs: number;
  };
}

/** The timing of a server outside tests. */
export const defaultTiming: Timing = {
  run: {
    leaseMs: 10_000,
    leaseRenewalMs: 3000,
    sweepMs: 3000,
    claimRetryMs: 100,
    stepRetentionMs: 60_000,
    quarantineMs: 10_000,
    deltaRetryMs: 200,
  },
  chore: { tidyMs: 20_000, retentionMs: 600_000, vacuumMs: 10_000 },
  database: { probeMs: 1000, answerMs: 2000, awayMs: 5000, readyMs: 5000, queueStatementMs: 20_000 },
  feedPollMs: 5000,
  bus: { pingMs: 5000, answerMs: 5000, firstRetryMs: 100, maxRetryMs: 5000 },
  credential: { cacheMs: 2000, checkMs: 2000 },
  request: { headersMs: 15_000, headersCheckMs: 2000, slowBodyMs: 10_000, lingerMs: 1000, freeSpaceMs: 5000 },
  socket: {
    credentialMs: 10_000,
    messageMs: 60_000,
    closeMs: 1000,
    finalMessageMs: 5000,
    openStreamMs: 30_000,
    livenessMs: 15_000,
  },
  offload: { countTokensMs: 5000, checkSchemaMs: 1000, readDocumentMs: 15_000, queueMs: 30_000, checkQueueMs: 10_000 },
  ingestion: {
    readMs: 120_000,
    retryMs: 2000,
    heartbeatMs: 10_000,
    abandonedMs: 60_000,
    searchWaitMs: 20_000,
    queryEmbeddingMs: 10_000,
  },
  python: { startMs: 60_000, requestMs: 30_000, installMs: 90_000, graceMs: 2000 },
};
