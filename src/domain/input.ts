import { z } from 'zod';
import { type InputIssue, InvalidInputError } from './error.ts';

/** How deep a JSON input may nest. */
const maxDepth = 64;

/**
 * Checks an input against its rules and returns it parsed. Before the rules, every text in it is checked for what
 * PostgreSQL cannot hold: the null character and half a surrogate pair.
 * Throws InvalidInputError with one issue for each thing that is wrong.
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
    if (!value.isWellFormed()) yield { path, message: 'Half of a surrogate pair is no character: send whole ones.' };
  } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    if (path.length > maxDepth) {
      yield { path: path.slice(0, 3), message: `Nest at most ${maxDepth} levels deep.` };
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      if (!Array.isArray(value)) yield* findUnstorable(key, path);
      yield* findUnstorable(inner, [...path, key]);
    }
  }
}

/** A text of at most `max` characters (UTF-16 code units). */
export const textUpTo = (max: number) => z.string().max(max, `At most ${max} characters, please`);

/** A text of 1 to `max` characters that is not blank. */
export const nameUpTo = (max: number) => textUpTo(max).refine((text) => text.trim() !== '', 'This must not be empty');

/** For a field where absent keeps and null clears. */
export const clearable = <Schema extends z.ZodType>(schema: Schema) => schema.nullable().optional();

/** For a field where absent and null both mean the default. */
export const absentOr = <Schema extends z.ZodType>(schema: Schema) =>
  schema
    .nullish()
    .transform((value) => (value === null ? undefined : value))
    .optional();

/** Up to 16 pairs, a key of up to 64 characters, a value of up to 512. */
export const metadata = z
  .record(
    z.string().min(1, 'A key must not be empty').max(64, 'A key has at most 64 characters'),
    z.string().max(512, 'A value has at most 512 characters'),
  )
  .refine((pairs) => Object.keys(pairs).length <= 16, 'At most 16 pairs, please');

/** For LIKE: the characters that would match anything stand for themselves. */
const escapeLike = (text: string) => text.replace(/[\\%_]/g, '\\$&');

/** The `where` of a search for a text in any of some columns, regardless of case. */
export function searchIn<Column extends string>(columns: Column[], search: string) {
  return columns.map(
    (column) =>
      ({ [column]: { contains: escapeLike(search), mode: 'insensitive' } }) as Record<
        Column,
        { contains: string; mode: 'insensitive' }
      >,
  );
}

/** The `where` that finds rows whose metadata holds all of the pairs. */
export const metadataHolds = (pairs: Record<string, string>) =>
  Object.entries(pairs).map(([key, value]) => ({ metadata: { path: [key], equals: value } }));
