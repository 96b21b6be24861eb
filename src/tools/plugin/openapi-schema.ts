import { isObject, type Json, type JsonObject } from './json.ts';
import { follow, target } from './openapi-document.ts';

/** Keywords that do not help a model, or that JSON Schema does not have. */
const dropped = new Set([
  'discriminator',
  'xml',
  'externalDocs',
  'example',
  'examples',
  'readOnly',
  'writeOnly',
  'deprecated',
]);
const literal = new Set(['enum', 'const', 'default']);
const maps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);

/**
 * Converts schemas of a document into self-contained JSON Schema 2020-12: the schemas that they refer to, recursive ones
 * included, are collected in `$defs`.
 */
export class SchemaBundle {
  readonly $defs: Record<string, Json> = {};
  readonly #document: JsonObject;
  readonly #names = new Map<string, string>();
  readonly #isOld: boolean;

  constructor(document: JsonObject) {
    this.#document = document;
    this.#isOld = String(document.openapi).startsWith('3.0');
  }

  /** Converts a schema; its references point into `$defs`. `isMap`: the keys of the object are names, not keywords. */
  convert(schema: Json, isMap = false): Json {
    if (Array.isArray(schema)) return schema.map((one) => this.convert(one));
    if (!isObject(schema)) return schema;
    if (!isMap && typeof schema.$ref === 'string') return this.#reference(schema.$ref, schema);
    const entries = Object.entries(schema as Record<string, Json>).filter(([key]) => isMap || !dropped.has(key));
    const converted = Object.fromEntries(
      entries.map(([key, value]) => [
        key,
        !isMap && literal.has(key) ? value : this.convert(value, !isMap && maps.has(key)),
      ]),
    );
    return this.#isOld && !isMap ? modernize(converted) : converted;
  }

  #reference(ref: string, { $ref: _ref, ...rest }: JsonObject): JsonObject {
    const name = this.#names.get(ref) ?? this.#define(ref);
    const reference = { $ref: `#/$defs/${name}` };
    // Before OpenAPI 3.1, keywords beside a reference had no effect.
    return this.#isOld ? reference : { ...(this.convert(rest) as JsonObject), ...reference };
  }

  #define(ref: string): string {
    const base = (ref.split('/').pop() ?? '').replace(/[^A-Za-z0-9_.-]/g, '_') || 'Schema';
    let name = base;
    for (let number = 2; Object.hasOwn(this.$defs, name); number += 1) name = `${base}_${number}`;
    this.#names.set(ref, name);
    this.$defs[name] = true;
    this.$defs[name] = this.convert(follow(this.#document, target(this.#document, ref)) as Json);
    return name;
  }
}

/** Replaces keywords of OpenAPI 3.0 that JSON Schema spells differently. Changes and returns the schema. */
function modernize(schema: JsonObject): JsonObject {
  for (const [flag, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (schema[flag] === true) {
      schema[flag] = schema[bound];
      delete schema[bound];
    } else if (schema[flag] === false) delete schema[flag];
  }
  if (schema.nullable === true) {
    if (typeof schema.type === 'string') schema.type = [schema.type, 'null'];
    if (Array.isArray(schema.enum) && !schema.enum.includes(null)) schema.enum = [...schema.enum, null];
  }
  delete schema.nullable;
  return schema;
}
