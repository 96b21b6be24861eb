import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { TrustedProxies } from './trusted-proxies.ts';

/** The request headers that pages of allowed origins can set. */
const allowedHeaders = [
  'authorization',
  'content-type',
  'accept',
  'x-workspace',
  'x-dashscope-workspace',
  'graphql-require-preflight',
  'x-graphql-event-stream-token',
  'last-event-id',
];
/** Seconds for which browsers cache a preflight response. */
const maxAge = 600;

/** The origins whose pages can use the server, over HTTP and over WebSocket. */
export class Cors {
  readonly #allowed: '*' | readonly string[];
  readonly #cors: ReturnType<typeof cors>;
  readonly #proxies: TrustedProxies;
  readonly #publicUrl: string | null;

  constructor(allowed: '*' | readonly string[], proxies: TrustedProxies, publicUrl: string | null) {
    this.#allowed = allowed;
    this.#proxies = proxies;
    this.#publicUrl = publicUrl;
    const origin = allowed === '*' ? '*' : [...allowed];
    this.#cors = cors({ origin, methods: ['GET', 'POST', 'PUT', 'DELETE'], allowedHeaders, maxAge });
  }

  /** Whether a request comes from the server's own origin, an allowed one, or a client that is no browser. */
  allows(request: IncomingMessage): boolean {
    const { origin, host } = request.headers;
    if (origin === undefined || this.#allowed === '*') return true;
    const own = [hostOf(this.#proxies.originOf(request)) ?? host, hostOf(this.#publicUrl)];
    return own.includes(origin.replace(/^https?:\/\//, '')) || this.#allowed.includes(origin.toLowerCase());
  }

  /** Sets the CORS headers of a response. Returns true if the request was a preflight, which has then been served. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const { method } = request;
      if (method === 'OPTIONS') response.once('finish', () => resolve(true));
      this.#cors(request, response, () => resolve(false));
    });
  }
}

const hostOf = (url: string | null) => (url === null ? null : new URL(url).host);

/** Content types that any page can send without a preflight. */
const simpleTypes = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'];

/**
 * Whether a page of any origin could have made a browser send this operation without a preflight (cross-site request
 * forgery). https://fetch.spec.whatwg.org/#cors-safelisted-request-header
 */
export function couldBeForged({ method, headers, url = '' }: IncomingMessage): boolean {
  if (headers.authorization !== undefined || headers['graphql-require-preflight'] !== undefined) return false;
  if (method === 'GET') return new URLSearchParams(url.split('?')[1]).has('query') && !isPageView(headers.accept);
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return method === 'POST' && (type === undefined || simpleTypes.includes(type));
}

/** Whether a browser navigates to the page of GraphiQL. Yoga then executes no operation. */
export const isPageView = (accept: string | undefined) => accept?.includes('text/html') === true;
