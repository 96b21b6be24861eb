import { type Logger, pino } from 'pino';

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

/**
 * Creates a logger of JSON lines on stderr; stdout has the greeting. `level`: one of pino's levels, or `silent`.
 */
export function createLog(level: string): Logger {
  return pino(
    { level, redact: { paths: secretPaths, censor: '[secret]' } },
    pino.destination({ dest: 2, sync: false }),
  );
}
