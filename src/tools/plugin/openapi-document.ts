import { parseDocument } from 'yaml';
import { InvalidPluginError } from '../plugin.ts';
import { isObject, type Json, type JsonObject } from './json.ts';

const limits = { bytes: 5_000_000, nodes: 200_000, depth: 100, aliases: 100 };

/** Reads an OpenAPI document (3.0 or 3.1, JSON or YAML). Throws InvalidPluginError, which says what is wrong with it. */
export async function readDocument(text: string): Promise<JsonObject> {
  if (Buffer.byteLength(text) > limits.bytes)
    throw new InvalidPluginError(`The document is larger than ${limits.bytes} bytes.`);
  const document = parse(text);
  const copy = checked(document);
  const version = String(copy.openapi ?? '');
  if (!/^3\.[01](\.|$)/.test(version)) {
    const is = copy.swagger ? `Swagger ${copy.swagger}` : version ? `OpenAPI ${version}` : 'no OpenAPI';
    throw new InvalidPluginError(`This is ${is}: give an OpenAPI 3.0 or 3.1 document.`);
  }
  const { valid, errors } = await validated(copy);
  if (!valid) throw new InvalidPluginError(`The document is not valid: ${errors.slice(0, 3).join('; ')}`);
  return copy;
}

async function validated(document: JsonObject): Promise<{ valid: boolean; errors: string[] }> {
  // Loading it takes a while: only for those who need it.
  const { validate } = await import('@readme/openapi-parser');
  try {
    // It changes what it is given.
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
      // YAML may begin like that, too.
    }
  }
  const document = parseDocument(text, { schema: 'core', merge: false, uniqueKeys: true, logLevel: 'silent' });
  const [error] = document.errors;
  if (error) throw new InvalidPluginError(`The document is neither JSON nor YAML: ${error.message.split('\n')[0]}`);
  try {
    return document.toJS({ maxAliasCount: limits.aliases });
  } catch (fault) {
    throw new InvalidPluginError(`The document cannot be read: ${(fault as Error).message}`);
  }
}

/** A copy without shared parts. Throws InvalidPluginError for what is too large, too deep, or refers to elsewhere. */
function checked(document: unknown): JsonObject {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new InvalidPluginError('The document is no object.');
  }
  let nodes = 0;
  const look = (value: unknown, depth: number): void => {
    nodes += 1;
    if (nodes > limits.nodes || depth > limits.depth)
      throw new InvalidPluginError('The document is too large, or nests too deep.');
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === '__proto__') throw new InvalidPluginError('The document has a key __proto__.');
      if (key === '$ref' && typeof inner === 'string' && !inner.startsWith('#/')) {
        throw new InvalidPluginError(
          `Only references within the document are followed, not ${inner.slice(0, 100)}: bundle it first.`,
        );
      }
      look(inner, depth + 1);
    }
  };
  look(document, 0);
  return JSON.parse(JSON.stringify(document)) as JsonObject;
}

/** What a reference within the document leads to; what is none, as it is. Throws InvalidPluginError where it leads nowhere. */
export function follow(document: JsonObject, given: Json | undefined): Json | undefined {
  let value = given;
  for (let count = 0; isObject(value) && typeof value.$ref === 'string'; count += 1) {
    if (count > 20) throw new InvalidPluginError('A reference of the document leads in a circle.');
    value = target(document, value.$ref);
  }
  return value;
}

/** What stands at a JSON pointer (RFC 6901). */
export function target(document: JsonObject, ref: string): Json {
  let value: Json = document;
  for (const part of ref.slice(2).split('/')) {
    const key = unescaped(part);
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw new InvalidPluginError(`The reference ${ref.slice(0, 100)} leads nowhere.`);
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
