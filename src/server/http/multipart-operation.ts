import type { Upload } from '../../files/upload.ts';
import { hasMoreValues } from '../json-values.ts';
import { serverLimits } from '../limits.ts';
import type { ParsedOperation } from '../yoga/transport.ts';
import { BodyError, tooManyValues } from './body-error.ts';

const help =
  'Send "operations", then "map", then the files: https://github.com/jaydenseric/graphql-multipart-request-spec';

export const malformed = (message: string) => new BodyError(400, `${message} ${help}`);

/** The operation, with each file at its path in the map. Throws BodyError if a path or a file is missing. */
export function operationOf(fields: Map<string, string>, files: Map<string, Upload>): ParsedOperation {
  const operation = objectIn(fields, 'operations') as unknown as ParsedOperation;
  if (typeof operation.query !== 'string') throw malformed('"operations" has no query.');
  for (const [key, paths] of Object.entries(objectIn(fields, 'map'))) {
    const file = files.get(key);
    if (!file) throw malformed(`The file ${JSON.stringify(key.slice(0, 100))} is missing.`);
    if (!Array.isArray(paths) || paths.length !== 1) throw malformed('"map" must list one path for each file.');
    insert(operation, String(paths[0]), file);
  }
  return operation;
}

function objectIn(fields: Map<string, string>, name: string): Record<string, unknown> {
  try {
    const text = fields.get(name) ?? '';
    if (text.length > serverLimits.jsonValues && hasMoreValues(Buffer.from(text), serverLimits.jsonValues))
      throw tooManyValues();
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    if (error instanceof BodyError) throw error;
    // Malformed JSON has the same error as JSON that is not an object.
  }
  throw malformed(`"${name}" is not a JSON object.`);
}

/** Replaces the null at a path such as `variables.input.file`. Throws BodyError if there is no null. */
function insert(operation: object, path: string, file: Upload): void {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let parent: unknown = operation;
  for (const name of names) {
    const hasName = typeof parent === 'object' && parent !== null && Object.hasOwn(parent, name);
    parent = hasName ? (parent as Record<string, unknown>)[name] : null;
  }
  const isPath = names[0] === 'variables' && typeof parent === 'object' && parent !== null;
  if (!isPath || !Object.hasOwn(parent as object, last) || (parent as Record<string, unknown>)[last] !== null)
    throw malformed(`The variables have no null at ${JSON.stringify(path.slice(0, 200))} for the file.`);
  Object.assign(parent as object, { [last]: file });
}
