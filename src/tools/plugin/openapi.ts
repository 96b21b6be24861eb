import { documentLimits } from '../limits.ts';
import { InvalidPluginError } from '../plugin-source.ts';
import { type Json, type JsonObject, listIn, objectIn, textIn } from './json.ts';
import { follow, readDocument } from './openapi-document.ts';
import { SchemaBundle } from './openapi-schema.ts';
import { type ReadOperations, withinLimits } from './operation-limits.ts';
import { legalName } from './operation-name.ts';

/** A parameter of an operation. */
export interface Parameter {
  /** Its name among the arguments of the model. */
  argument: string;
  name: string;
  in: 'path' | 'query' | 'header';
  explode: boolean;
  style: string;
}

/** An operation of an OpenAPI document, with everything that a call needs. */
export interface HttpOperation {
  name: string;
  description: string | null;
  parameters: Record<string, unknown>;
  method: string;
  /** The URL, with {names} of path parameters. */
  url: string;
  inputs: Parameter[];
  /** The MIME type of the body, which is the argument `body`; null: there is no body. */
  bodyType: string | null;
}

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
/** The MIME types of bodies that can be made from arguments, in order of preference. */
const bodyTypes = [
  /^application\/(.+\+)?json\b/i,
  /^application\/x-www-form-urlencoded\b/i,
  /^multipart\/form-data\b/i,
  /^text\/plain\b/i,
];
/** Headers that the HTTP client or the plugin's authentication sets. */
const reservedHeaders =
  /^(accept|content-type|authorization|host|content-length|connection|transfer-encoding|cookie)$/i;

/**
 * The operations of an OpenAPI document. Operations that require a body of an unsupported type are left out. Throws
 * InvalidPluginError with what is wrong with the document.
 */
export async function readOpenApi(text: string, options: OpenApiOptions): Promise<ReadOperations<HttpOperation>> {
  const { serverUrl, documentUrl, selected } = options;
  const document = await readDocument(text);
  const base = serverUrl ?? serverOf(document, documentUrl);
  const found = [...operationsIn(document)];
  if (found.length === 0) throw new InvalidPluginError('The document has no operation that can be called.');
  const taken = new Set<string>();
  const named = found.map((entry) => ({
    ...entry,
    name: legalName(textIn(entry.operation.operationId) ?? '', `${entry.method}${entry.path}`, taken),
  }));
  const names = named.map(({ name }) => name);
  const chosen = named.filter(({ name }) => selected.length === 0 || selected.includes(name));
  if (chosen.length > options.most) return { names, operations: [] };
  return { names, operations: withinLimits(chosen.map((entry) => operationOf(document, entry, base))) };
}

/** How a document is read. */
export interface OpenApiOptions {
  /** The URL of the server; null: the one in the document. */
  serverUrl: string | null;
  /** The URL of the document, to which a relative URL of the server applies; null: it has none. */
  documentUrl: string | null;
  /** The names of the operations to read; empty: all. */
  selected: readonly string[];
  /** With more operations than this only the names are read. */
  most: number;
}

/** An operation in its document. */
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
      if (bodyOf(document, operation) !== 'unsupported') yield { item, operation, path, method };
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
    throw new InvalidPluginError('The document does not name the URL of its server. Set serverUrl.');
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
  if (body && body !== 'unsupported') {
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
    bodyType: body && body !== 'unsupported' ? body.type : null,
  };
}

/** The schema of a parameter, with the parameter's description. */
function schemaOf({ schema: own, content, description }: JsonObject, bundle: SchemaBundle): Json {
  const schema = bundle.convert(own ?? objectIn(Object.values(objectIn(content))[0]).schema ?? {});
  const isPlain = typeof schema === 'object' && schema !== null && !('$ref' in schema);
  return description && isPlain ? { ...objectIn(schema), description: short(description) } : schema;
}

const short = (text: unknown) => String(text).slice(0, documentLimits.description);
const isLocation = (value: Json | undefined): value is Parameter['in'] =>
  value === 'path' || value === 'query' || value === 'header';

/**
 * The parameters of an operation. They override those of its path. The argument of a name that occurs twice is prefixed with
 * its location.
 */
function inputsOf(
  document: JsonObject,
  item: JsonObject,
  operation: JsonObject,
): Array<{ parameter: JsonObject; input: Parameter }> {
  const byLocation = new Map<string, { parameter: JsonObject; name: string; location: Parameter['in'] }>();
  for (const given of [...listIn(item.parameters), ...listIn(operation.parameters)]) {
    const parameter = objectIn(follow(document, given));
    const { in: location, name } = parameter;
    if (!isLocation(location) || typeof name !== 'string' || (location === 'header' && reservedHeaders.test(name)))
      continue;
    byLocation.set(`${location} ${name}`, { parameter, name, location });
  }
  const taken = new Set(['body']);
  return [...byLocation.values()].map(({ parameter, name, location }) => {
    const argument = taken.has(name) ? `${location}_${name}` : name;
    taken.add(argument);
    const style = textIn(parameter.style) ?? (location === 'query' ? 'form' : 'simple');
    const explode = typeof parameter.explode === 'boolean' ? parameter.explode : style === 'form';
    return { parameter, input: { argument, name, in: location, style, explode } };
  });
}

/** The body of an operation; null: it has none, or an optional one of an unsupported type. */
function bodyOf(
  document: JsonObject,
  operation: JsonObject,
): { type: string; schema: Json; isRequired: boolean } | null | 'unsupported' {
  const given = follow(document, operation.requestBody);
  if (!given) return null;
  const body = objectIn(given);
  const types = Object.entries(objectIn(body.content));
  for (const pattern of bodyTypes) {
    const found = types.find(([type]) => pattern.test(type));
    if (found) return { type: found[0], schema: objectIn(found[1]).schema ?? {}, isRequired: body.required === true };
  }
  return body.required ? 'unsupported' : null;
}
