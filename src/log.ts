import { type Logger, pino } from 'pino';

export type { Logger };

/** What may never reach a log line, wherever in an object it stands. */
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
 * A JSON logger on stderr, so that stdout keeps what the server says to a person.
 * `level` is one of pino's, or `silent`.
 */
export function createLog(level: string): Logger {
  return pino(
    { level, redact: { paths: secretPaths, censor: '[secret]' } },
    pino.destination({ dest: 2, sync: false }),
  );
}
