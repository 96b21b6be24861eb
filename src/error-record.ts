import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';

/** What the log shows of an error. */
interface ErrorRecord {
  type: string;
  /** The part before anything that it quotes; absent: a library made it. */
  message?: string;
  /** The frames of the stack, innermost first. */
  stack?: string[];
  cause?: ErrorRecord;
  errors?: ErrorRecord[];
  /** Short words and numbers, such as `code`. */
  [detail: string]: unknown;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const limits = { frames: 20, depth: 4, errors: 3, message: 300 };

/** Properties that say what failed, and never hold contents. `table` and `constraint` are names of the schema. */
const details = [
  ...['code', 'status', 'statusCode', 'syscall', 'port', 'severity', 'table', 'constraint', 'routine'],
  ...['kind', 'originalCode', 'modelName', 'exitCode', 'signal'],
];
const word = /^[\w.:-]{1,80}$/;
/** A code that a program declares; providers choose lower case for theirs. */
const constant = /^[A-Z0-9_.]{1,40}$/;

/** Errors whose messages are texts of the code that made them. A SyntaxError quotes what it could not parse. */
const plain: unknown[] = [Error, TypeError, RangeError, ReferenceError, AggregateError, DOMException];

/**
 * What may be logged of an error: its type, codes, place and causes, but none of the contents that libraries put into errors, such
 * as a row that a check refused, the body of a request or response, a URL or a credential. The message is kept only where code of
 * the server or of Node.js made the error, up to the first thing that it quotes. Accepts any value.
 */
export function errorRecord(error: unknown, depth = 1): ErrorRecord {
  if (typeof error !== 'object' || error === null) return { type: typeof error };
  const record = { type: typeOf(error), ...detailsOf(error) };
  if (!(error instanceof Error)) return record;
  const frames = framesOf(error);
  const inner = depth < limits.depth ? innerOf(error, depth + 1) : {};
  return {
    ...record,
    ...(hasPlainMessage(error, frames) ? { message: beforeQuotes(error.message) } : {}),
    ...inner,
    ...(frames.length > 0 ? { stack: frames.map((frame) => frame.replace('file://', '').replace(root, '')) } : {}),
  };
}

function typeOf(error: object): string {
  const { name, constructor: made } = error as { name?: unknown; constructor?: { name?: unknown } };
  const names = [made?.name === 'DOMException' ? name : made?.name, name];
  return names.find((found): found is string => typeof found === 'string' && word.test(found)) ?? 'object';
}

function detailsOf(error: object): Record<string, unknown> {
  const values = error as Record<string, unknown>;
  const isDetail = (name: string, value: unknown) =>
    typeof value === 'number' ||
    (typeof value === 'string' && (name.toLowerCase().endsWith('code') ? constant : word).test(value));
  const found = details.filter((name) => isDetail(name, values[name])).map((name) => [name, values[name]]);
  const { address } = values;
  return { ...Object.fromEntries(found), ...(typeof address === 'string' && isIP(address) ? { address } : {}) };
}

/** The errors within an error: its cause, that of Prisma's driver, and those of an AggregateError. */
function innerOf(error: Error, depth: number): Pick<ErrorRecord, 'cause' | 'errors'> {
  const {
    meta,
    cause = meta?.driverAdapterError,
    errors,
  } = error as Error & {
    meta?: { driverAdapterError?: unknown };
    errors?: unknown;
  };
  return {
    ...(cause === undefined ? {} : { cause: errorRecord(cause, depth) }),
    ...(Array.isArray(errors)
      ? { errors: errors.slice(0, limits.errors).map((inner) => errorRecord(inner, depth)) }
      : {}),
  };
}

const frame = /^ {4}at (?:.* \()?((?:file:\/\/|node:|\/|<anonymous>)[^()]*)\)?$/;

/** The frames of the stack without the message, which may look like frames itself. */
function framesOf({ stack = '', message }: Error): string[] {
  const end = stack.indexOf(message);
  if (end < 0) return [];
  const lines = stack.slice(end + message.length).split('\n');
  return lines.flatMap((line) => (frame.test(line) ? [line.trim().slice(3)] : [])).slice(0, limits.frames);
}

function hasPlainMessage(error: Error, frames: string[]): boolean {
  // The message of an error of the system has the path or the host; the other properties say the rest.
  if (!plain.includes(error.constructor) || 'syscall' in error) return false;
  const maker = frames.find((line) => !line.includes('<anonymous>'));
  return maker !== undefined && !maker.includes('node_modules') && (maker.includes('node:') || maker.includes(root));
}

const beforeQuotes = (message: string) => message.slice(0, limits.message).split(/["'`‘“\n]|: |\w+:\/\//, 1)[0];
