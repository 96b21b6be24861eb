import { validate } from '@readme/openapi-parser';
import { parseDocument } from 'yaml';
import { documentLimits } from '../limits.ts';
import { InvalidPluginError } from '../plugin-source.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

/** Reads an OpenAPI document: 3.0 or 3.1, JSON or YAML. Throws InvalidPluginError with what is wrong with it. */
export async function readDocument(text: string): Promise<JsonObject> {
  if (Buffer.byteLength(text) > documentLimits.bytes) {
    throw new InvalidPluginError(`The document is larger than ${documentLimits.bytes} bytes.`);
  }
  const document = parse(text);
  const copy = checked(document);
  const version = String(copy.openapi ?? '');
  if (!/^3\.[01](\.|$)/.test(version)) {
    const found = copy.swagger ? `Swagger ${copy.swagger}` : version ? `OpenAPI ${version}` : 'not an OpenAPI document';
    throw new InvalidPluginError(`The document is ${found}. Provide an OpenAPI 3.0 or 3.1 document.`);
  }
  const { valid, errors } = await validated(copy);
  if (!valid) throw new InvalidPluginError(`The document is not valid: ${errors.slice(0, 3).join('; ')}`);
  return copy;
}

async function validated(document: JsonObject): Promise<{ valid: boolean; errors: string[] }> {
  try {
    // The validator changes its input.
    const result = await validate(structuredClone(document) as never, { resolve: { external: false } } as never);
    if (result.valid) return { valid: true, errors: [] };
    return { valid: false, errors: result.errors.map(({ message }) => message.replace(/\s+/g, ' ').slice(0, 300)) };
  } catch (error) {
    return { valid: false, errors: [(error as Error).message.slice(0, 300)] };
  }
}

function parse(text: string): unknown {
  if (/^\s*\{/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // A YAML document may also begin with a brace.
    }
  }
  const document = parseDocument(text, { schema: 'core', merge: false, uniqueKeys: true, logLevel: 'silent' });
  const [error] = document.errors;
  if (error) throw new InvalidPluginError(`The document is neither JSON nor YAML: ${error.message.split('\n')[0]}`);
  try {
    return document.toJS({ maxAliasCount: documentLimits.yamlAliases });
  } catch (fault) {
    throw new InvalidPluginError(`The document cannot be read: ${(fault as Error).message}`);
  }
}

/** A deep copy. Throws InvalidPluginError for a document that is too large, too deep, or refers to other documents. */
function checked(document: unknown): JsonObject {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new InvalidPluginError('The document is not an object.');
  }
  let nodes = 0;
  const visit = (value: unknown, depth: number): void => {
    nodes += 1;
    if (nodes > documentLimits.values)
      throw new InvalidPluginError(`The document has more than ${documentLimits.values} values.`);
    if (depth > documentLimits.depth) {
      throw new InvalidPluginError(`The document is nested more than ${documentLimits.depth} levels deep.`);
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      requireSafe(key, inner);
      visit(inner, depth + 1);
    }
  };
  visit(document, 0);
  return JSON.parse(JSON.stringify(document)) as JsonObject;
}

/** Throws InvalidPluginError for a key that changes the prototype and for a reference to another document. */
function requireSafe(key: string, value: unknown): void {
  if (key === '__proto__') throw new InvalidPluginError('The document has a key __proto__. Remove it.');
  if (key !== '$ref' || typeof value !== 'string' || value.startsWith('#/')) return;
  throw new InvalidPluginError(
    `The document refers to ${value.slice(0, 100)}. Bundle it into one document: only local references are followed.`,
  );
}

/** Resolves a value that may be a reference, or a chain of them. Throws InvalidPluginError for a broken or circular reference. */
export function follow(document: JsonObject, given: Json | undefined): Json | undefined {
  let value = given;
  for (let count = 0; isObject(value) && typeof value.$ref === 'string'; count += 1) {
    if (count > documentLimits.referenceSteps) throw new InvalidPluginError('A reference in the document is circular.');
    value = target(document, value.$ref);
  }
  return value;
}

/** The value at a local reference: `#` and a JSON pointer (RFC 6901). Throws InvalidPluginError when there is none. */
export function target(document: JsonObject, ref: string): Json {
  let value: Json = document;
  for (const part of ref.slice(2).split('/')) {
    const key = unescaped(part);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw new InvalidPluginError(`The reference ${ref.slice(0, 100)} points to nothing.`);
    }
    value = (value as JsonObject)[key] as Json;
  }
  return value;
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return part;
  }
}
