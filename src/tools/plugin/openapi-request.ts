import { FormData, type RequestInit } from 'undici';
import { ToolError } from '../tool.ts';
import type { HttpOperation, Parameter } from './openapi.ts';

/** A request of an operation, without the plugin's credential. */
export interface OperationRequest {
  url: URL;
  init: RequestInit & { headers: Record<string, string> };
}

/**
 * Builds the request of an operation from arguments that are valid for its schema. Throws ToolError for a path argument that
 * would address another path.
 */
export function requestOf(operation: HttpOperation, args: Record<string, unknown>): OperationRequest {
  const headers: Record<string, string> = {
    accept: 'application/json, text/*;q=0.9, */*;q=0.5',
    'user-agent': 'assistant-graph',
  };
  const query: Array<[string, string]> = [];
  let address = operation.url;
  for (const input of operation.inputs) {
    const value = args[input.argument];
    if (value === undefined) continue;
    if (input.in === 'path') address = address.replaceAll(`{${input.name}}`, segment(input.argument, value));
    else if (input.in === 'query') query.push(...pairsOf(input, value));
    else headers[input.name.toLowerCase()] = plain(value).replace(/[\r\n\0]/g, ' ');
  }
  const url = URL.parse(address);
  if (!url) throw new ToolError('invalid_argument', 'The arguments make no valid URL.');
  for (const [name, value] of query) url.searchParams.append(name, value);
  const init: OperationRequest['init'] = { method: operation.method, headers };
  const { bodyType } = operation;
  if (bodyType === null || args.body === undefined) return { url, init };
  const body = bodyOf(bodyType, args.body);
  // `fetch` sets the type of a form itself, because it chooses the boundary.
  if (typeof body === 'string') headers['content-type'] = bodyType;
  return { url, init: { ...init, body } };
}

/** A value as one segment of a path. Throws ToolError for a segment that servers resolve to another path. */
function segment(name: string, value: unknown): string {
  const text = encodeURIComponent(plain(value).toWellFormed());
  if (text === '' || /^\.{1,2}$/.test(text)) {
    throw new ToolError('invalid_argument', `${name} must not be empty, "." or "..".`);
  }
  return text;
}

const plain = (value: unknown): string => {
  if (Array.isArray(value)) return value.map(plain).join(',');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
};

const delimiters: Record<string, string> = { spaceDelimited: ' ', pipeDelimited: '|' };

/** A query parameter, serialised according to its style (OpenAPI 3.1, "Style Values"). */
function pairsOf({ name, style, explode }: Parameter, value: unknown): Array<[string, string]> {
  if (Array.isArray(value)) {
    if (explode) return value.map((item) => [name, plain(item)]);
    return [[name, value.map(plain).join(delimiters[style] ?? ',')]];
  }
  if (typeof value !== 'object' || value === null) return [[name, plain(value)]];
  const entries = Object.entries(value);
  if (style === 'deepObject') return entries.map(([key, item]) => [`${name}[${key}]`, plain(item)]);
  if (explode) return entries.map(([key, item]) => [key, plain(item)]);
  return [[name, entries.flatMap(([key, item]) => [key, plain(item)]).join(',')]];
}

function bodyOf(type: string, value: unknown): string | FormData {
  if (/json/i.test(type)) return JSON.stringify(value);
  if (/^text\//i.test(type)) return plain(value);
  const entries = Object.entries((value ?? {}) as Record<string, unknown>).map(([key, item]) => [key, plain(item)]);
  if (/urlencoded/i.test(type)) return new URLSearchParams(entries as Array<[string, string]>).toString();
  const form = new FormData();
  for (const [key, item] of entries) form.append(key as string, item);
  return form;
}
