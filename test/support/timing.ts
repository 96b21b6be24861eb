import { defaultTiming, type Timing } from '../../src/config/timing.ts';

/** The timing of servers under test: short intervals and time limits. */
export const fastTiming: Timing = {
  ...defaultTiming,
  run: { ...defaultTiming.run, leaseMs: 2500, leaseRenewalMs: 600, sweepMs: 600 },
  feedPollMs: 2000,
  bus: { pingMs: 1000, answerMs: 2000, firstRetryMs: 50, maxRetryMs: 1000 },
  credential: { cacheMs: 500, checkMs: 500 },
  request: { ...defaultTiming.request, lingerMs: 500, freeSpaceMs: 200 },
  socket: { ...defaultTiming.socket, credentialMs: 2000, closeMs: 500, finalMessageMs: 1500, openStreamMs: 5000 },
  offload: { ...defaultTiming.offload, countTokensMs: 1500, checkSchemaMs: 500, readDocumentMs: 4000 },
  ingestion: { ...defaultTiming.ingestion, retryMs: 300, heartbeatMs: 2000, abandonedMs: 10_000 },
  python: { ...defaultTiming.python, graceMs: 1000 },
};
