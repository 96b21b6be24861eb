import { type DestinationStream, type Logger, pino } from 'pino';
import { errorRecord } from './error-record.ts';

export type { Logger };

/** The properties whose values are replaced in log lines, at the first and second level of an object. */
const secretPaths = [
  'authorization',
  '*.authorization',
  'apiKey',
  '*.apiKey',
  'secret',
  '*.secret',
  'token',
  '*.token',
];

/** Lines with an error of an outage that follow one another more closely than this belong to the same outage. */
const outagePauseMs = 10_000;
const debugLevel = 20;

/**
 * Creates a logger of JSON lines on stderr; stdout has the greeting. Errors (`err`, `cause`) are logged as `errorRecord` shows
 * them, without contents. `level`: one of pino's levels, or `silent`. `isOutage`: tells errors that many places meet at once
 * while a part of the server is away: the first is logged, and the others only at the level `debug`. `output`: replaces stderr.
 */
export function createLog(
  level: string,
  isOutage: (error: unknown) => boolean = () => false,
  output: DestinationStream = pino.destination({ dest: 2, sync: false }),
): Logger {
  let lastOutageAt = Number.NEGATIVE_INFINITY;
  return pino(
    {
      level,
      redact: { paths: secretPaths, censor: '[secret]' },
      serializers: { err: errorRecord, cause: errorRecord },
      hooks: {
        logMethod(line, log, lineLevel) {
          const { err } = (line[0] ?? {}) as { err?: unknown };
          if (lineLevel <= debugLevel || !isOutage(err)) return log.apply(this, line);
          const isFirst = performance.now() - lastOutageAt > outagePauseMs;
          lastOutageAt = performance.now();
          if (isFirst) log.apply(this, line);
          else this.debug(...line);
        },
      },
    },
    output,
  );
}
