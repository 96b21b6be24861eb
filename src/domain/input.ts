import { z } from 'zod';
import { type InputIssue, InvalidInputError } from './error.ts';
import { inputLimits } from './limits.ts';

/**
 * Validates an input against a schema and returns the parsed value. Before that, every string in the input is checked
 * for characters that PostgreSQL cannot store: U+0000 and unpaired surrogates.
 * Throws InvalidInputError with one issue per violation.
 */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const unstorable = [...findUnstorable(input, [])];
  if (unstorable.length > 0) throw new InvalidInputError(unstorable);
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new InvalidInputError(
    result.error.issues.map(({ path, message }) => ({ path: path.map(String), message: sentence(message) })),
  );
}

const sentence = (text: string) => (text.endsWith('.') ? text : `${text}.`);

function* findUnstorable(value: unknown, path: string[]): Generator<InputIssue> {
  if (typeof value === 'string') {
    if (value.includes('\0')) yield { path, message: 'Remove the null character (U+0000): it cannot be stored.' };
    if (!value.isWellFormed()) yield { path, message: 'Remove the unpaired surrogate: it cannot be stored.' };
  } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    if (path.length > inputLimits.jsonDepth) {
      yield { path: path.slice(0, 3), message: `At most ${inputLimits.jsonDepth} levels of nesting.` };
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      if (!Array.isArray(value)) yield* findUnstorable(key, path);
      yield* findUnstorable(inner, [...path, key]);
    }
  }
}

/** A string of at most `max` characters (UTF-16 code units); `where` follows the number in the message. */
export const textUpTo = (max: number, where = '') =>
  // Zod's `max` counts code points: an emoji is two code units.
  z.string().refine(({ length }) => length <= max, `At most ${max} characters${where}`);

/** A string of 1 to `max` characters that is not blank. */
export const nameUpTo = (max: number) => textUpTo(max).refine((text) => text.trim() !== '', 'Must not be empty');

/** A list of at most `max` items; `noun` names them in the message. */
export const listUpTo = <Schema extends z.ZodType>(item: Schema, max: number, noun: string) =>
  z.array(item).max(max, `At most ${max} ${noun}`);

/** An integer from `min` to `max`; `unit` is a plural that follows the number in the message. */
export const integer = (min: number, max: number, unit: string | null = null) =>
  z
    .int()
    .min(min, `At least ${quantity(min, unit)}`)
    .max(max, `At most ${quantity(max, unit)}`);

function quantity(count: number, unit: string | null): string {
  if (unit === null) return String(count);
  return count === 1 ? `1 ${unit.replace(/s$/, '')}` : `${count} ${unit}`;
}

/** An integer of 1 or more. */
export const positive = z.int().min(1, 'At least 1');

/** For a field where absent keeps the value and null clears it. */
export const clearable = <Schema extends z.ZodType>(schema: Schema) => schema.nullable().optional();

/** For a field where absent and null both mean the default. */
export const absentOr = <Schema extends z.ZodType>(schema: Schema) =>
  schema
    .nullish()
    .transform((value) => (value === null ? undefined : value))
    .optional();

/** Key-value pairs that a client attaches to a row. */
export const metadata = z
  .record(
    textUpTo(inputLimits.metadataKey, ' in a key').min(1, 'A key must not be empty'),
    textUpTo(inputLimits.metadataValue, ' in a value'),
  )
  .refine(
    (pairs) => Object.keys(pairs).length <= inputLimits.metadataPairs,
    `At most ${inputLimits.metadataPairs} pairs`,
  );

/** Escapes the wildcards of LIKE. */
const escapeLike = (text: string) => text.replace(/[\\%_]/g, '\\$&');

/** A `where` per column, for a case-insensitive search for a substring. */
export function searchIn<Column extends string>(columns: Column[], search: string) {
  return columns.map(
    (column) =>
      ({ [column]: { contains: escapeLike(search), mode: 'insensitive' } }) as Record<
        Column,
        { contains: string; mode: 'insensitive' }
      >,
  );
}

/** A `where` per pair, for rows whose metadata contains it. */
export const metadataHolds = (pairs: Record<string, string>) =>
  Object.entries(pairs).map(([key, value]) => ({ metadata: { path: [key], equals: value } }));
