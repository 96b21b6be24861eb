import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'graphql-sse';

const tokenHeader = 'x-graphql-event-stream-token';

/** A Node.js request with its body, if it is a POST. */
export interface RawRequest {
  request: IncomingMessage;
  body: string | null;
}

/** A request of the GraphQL over SSE protocol. */
export type SseRequest = Request<RawRequest, unknown>;

export function sseRequest(raw: RawRequest): SseRequest {
  const { method = 'GET', url = '/', headers } = raw.request;
  const get = (name: string) => headers[name.toLowerCase()] as string | undefined;
  return { method, url, headers: { get }, body: raw.body, raw, context: undefined };
}

/** The request that opens the stream of a token. */
export function openingRequest(token: string): SseRequest {
  const headers = { accept: 'text/event-stream', [tokenHeader]: token };
  return sseRequest({ request: { method: 'GET', url: '/graphql', headers } as unknown as IncomingMessage, body: null });
}

export const hasTokenHeader = ({ headers }: IncomingMessage): boolean => tokenHeader in headers;

export const tokenInUrl = ({ url = '' }: IncomingMessage): string | null =>
  new URLSearchParams(url.split('?')[1]).get('token');

/** The stream token of a request, in its header or its URL. */
export function tokenOf(request: IncomingMessage): string | null {
  const header = request.headers[tokenHeader];
  return typeof header === 'string' ? header : tokenInUrl(request);
}

export function jsonResponse(status: number, body: object, headers: Record<string, string> = {}): Response {
  const type = { 'content-type': 'application/json; charset=utf-8' };
  return [JSON.stringify(body), { status, statusText: '', headers: { ...headers, ...type } }];
}

export const messageResponse = (status: number, message: string): Response =>
  jsonResponse(status, { errors: [{ message }] });
