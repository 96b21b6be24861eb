import { InvalidPluginError } from '../plugin.ts';
import { type Json, type JsonObject, listIn, objectIn, textIn } from './json.ts';
import { type ReadOperations, withinLimits } from './limits.ts';
import { follow, readDocument } from './openapi-document.ts';
import { SchemaBundle } from './openapi-schema.ts';
import { legalName } from './operation-name.ts';

/** A parameter of an operation, and what the model calls it. */
export interface Parameter {
  /** The name among the arguments. */
  argument: string;
  name: string;
  in: 'path' | 'query' | 'header';
  explode: boolean;
  style: string;
}

/** An operation of an OpenAPI document, ready to be called. */
export interface HttpOperation {
  name: string;
  description: string | null;
  parameters: Record<string, unknown>;
  method: string;
  /** Where it is, with {names} of path parameters. */
  url: string;
  inputs: Parameter[];
  /** The type of its body, which is the argument `body`; null: it has none. */
  bodyType: string | null;
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
/** The bodies that can be made of arguments, the best first. */
const bodyTypes = [
  /^application\/(.+\+)?json\b/i,
  /^application\/x-www-form-urlencoded\b/i,
  /^multipart\/form-data\b/i,
  /^text\/plain\b/i,
];
/** What the client or the plug-in's own settings say. */
const ownHeaders = /^(accept|content-type|authorization|host|content-length|connection|transfer-encoding|cookie)$/i;
const maxDescription = 1024;

/**
 * The operations of an OpenAPI document. `serverUrl`: where they are called, if not where the document says; `documentUrl`: where
 * it was found. Operations that cannot be called, for want of a body that can be made, are left out.
 * Throws InvalidPluginError, which says what is wrong.
 */
export async function readOpenApi(text: string, options: OpenApiOptions): Promise<ReadOperations<HttpOperation>> {
  const { serverUrl, documentUrl, selected } = options;
  const document = await readDocument(text);
  const base = serverUrl ?? serverOf(document, documentUrl);
  const found = [...operationsIn(document)];
  if (found.length === 0) throw new InvalidPluginError('The document has no operation that can be called.');
  const taken = new Set<string>();
  const named = found.map((one) => ({
    ...one,
    name: legalName(textIn(one.operation.operationId) ?? '', `${one.method}${one.path}`, taken),
  }));
  const names = named.map(({ name }) => name);
  const chosen = named.filter(({ name }) => selected.length === 0 || selected.includes(name));
  // So many are not told to any model: which ones are wanted is to be said first.
  if (chosen.length > options.most) return { names, operations: [] };
  return { names, operations: withinLimits(chosen.map((one) => operationOf(document, one, base))) };
}

/** What is read, and where from. */
export interface OpenApiOptions {
  serverUrl: string | null;
  documentUrl: string | null;
  /** The names of the operations that are wanted; empty: all. */
  selected: readonly string[];
  /** More are not read. */
  most: number;
}

interface Found {
  item: JsonObject;
  operation: JsonObject;
  path: string;
  method: string;
}

function* operationsIn(document: JsonObject): Generator<Found> {
  for (const [path, given] of Object.entries(objectIn(document.paths))) {
    const item = objectIn(follow(document, given));
    for (const method of methods) {
      if (!item[method]) continue;
      const operation = objectIn(item[method]);
      if (bodyOf(document, operation) !== 'impossible') yield { item, operation, path, method };
    }
  }
}

function serverOf(document: JsonObject, documentUrl: string | null): string {
  const server = objectIn(listIn(document.servers)[0]);
  const variables = objectIn(server.variables);
  const url = (textIn(server.url) ?? '/').replace(/\{([^}]+)\}/g, (_all, name: string) =>
    String(objectIn(variables[name]).default ?? ''),
  );
  const absolute = URL.parse(url, documentUrl ?? undefined);
  if (absolute?.protocol !== 'http:' && absolute?.protocol !== 'https:') {
    throw new InvalidPluginError('The document does not say where its server is: give serverUrl.');
  }
  return absolute.href;
}

function operationOf(
  document: JsonObject,
  { item, operation, path, method, name }: Found & { name: string },
  base: string,
): HttpOperation {
  const bundle = new SchemaBundle(document);
  const properties: Record<string, Json> = {};
  const required: string[] = [];
  const body = bodyOf(document, operation);
  const inputs = inputsOf(document, item, operation);
  for (const { parameter, input } of inputs) {
    properties[input.argument] = schemaOf(parameter, bundle);
    if (parameter.required || parameter.in === 'path') required.push(input.argument);
  }
  if (body && body !== 'impossible') {
    properties.body = bundle.convert(body.schema);
    if (body.isRequired) required.push('body');
  }
  const { $defs } = bundle;
  return {
    name,
    description: short([operation.summary, operation.description].filter(Boolean).join('\n')) || null,
    parameters: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties,
      required,
      additionalProperties: false,
      ...(Object.keys($defs).length > 0 ? { $defs } : {}),
    },
    method: method.toUpperCase(),
    url: base.replace(/\/+$/, '') + path,
    inputs: inputs.map(({ input }) => input),
    bodyType: body && body !== 'impossible' ? body.type : null,
  };
}

/** The schema of a parameter, with what is said of it. */
function schemaOf({ schema: own, content, description }: JsonObject, bundle: SchemaBundle): Json {
  const schema = bundle.convert(own ?? objectIn(Object.values(objectIn(content))[0]).schema ?? {});
  const isPlain = typeof schema === 'object' && schema !== null && !('$ref' in schema);
  return description && isPlain ? { ...objectIn(schema), description: short(description) } : schema;
}

const short = (text: unknown) => String(text).slice(0, maxDescription);
const isPlace = (value: Json | undefined): value is Parameter['in'] =>
  value === 'path' || value === 'query' || value === 'header';

/** The parameters of an operation, its own over those of its path. Names that are taken get their place in front. */
function inputsOf(
  document: JsonObject,
  item: JsonObject,
  operation: JsonObject,
): Array<{ parameter: JsonObject; input: Parameter }> {
  const byPlace = new Map<string, { parameter: JsonObject; name: string; place: Parameter['in'] }>();
  for (const given of [...listIn(item.parameters), ...listIn(operation.parameters)]) {
    const parameter = objectIn(follow(document, given));
    const { in: place, name } = parameter;
    if (!isPlace(place) || typeof name !== 'string' || (place === 'header' && ownHeaders.test(name))) continue;
    byPlace.set(`${place} ${name}`, { parameter, name, place });
  }
  const taken = new Set(['body']);
  return [...byPlace.values()].map(({ parameter, name, place }) => {
    const argument = taken.has(name) ? `${place}_${name}` : name;
    taken.add(argument);
    const style = textIn(parameter.style) ?? (place === 'query' ? 'form' : 'simple');
    const explode = typeof parameter.explode === 'boolean' ? parameter.explode : style === 'form';
    return { parameter, input: { argument, name, in: place, style, explode } };
  });
}

function bodyOf(
  document: JsonObject,
  operation: JsonObject,
): { type: string; schema: Json; isRequired: boolean } | null | 'impossible' {
  const given = follow(document, operation.requestBody);
  if (!given) return null;
  const body = objectIn(given);
  const types = Object.entries(objectIn(body.content));
  for (const pattern of bodyTypes) {
    const found = types.find(([type]) => pattern.test(type));
    if (found) return { type: found[0], schema: objectIn(found[1]).schema ?? {}, isRequired: body.required === true };
  }
  return body.required ? 'impossible' : null;
}
