import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';

/** The headers that a page of another origin may send. */
const allowedHeaders = [
  'authorization',
  'content-type',
  'accept',
  'x-workspace',
  'x-dashscope-workspace',
  'graphql-require-preflight',
  'x-graphql-event-stream-token',
];
const maxAge = 600;

/** Which pages may talk to the server, over HTTP and over WebSocket. */
export class Cors {
  readonly #allowed: '*' | readonly string[];
  readonly #cors: ReturnType<typeof cors>;

  constructor(allowed: '*' | readonly string[]) {
    this.#allowed = allowed;
    const origin = allowed === '*' ? '*' : [...allowed];
    this.#cors = cors({ origin, methods: ['GET', 'POST', 'PUT', 'DELETE'], allowedHeaders, maxAge });
  }

  /** Whether a request comes from a page that may: one of ours, of an allowed origin, or no page at all. */
  allows({ headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    if (origin === undefined || this.#allowed === '*') return true;
    return origin.replace(/^https?:\/\//, '') === host || this.#allowed.includes(origin.toLowerCase());
  }

  /** Adds what a browser wants to hear before it lets a page read the answer; answers a preflight: then returns true. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const { method } = request;
      if (method === 'OPTIONS') response.once('finish', () => resolve(true));
      this.#cors(request, response, () => resolve(false));
    });
  }
}

/** Content types that a form or a script of any page can send without asking first. */
const simpleTypes = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'];

/**
 * Whether a page of any origin could have made a browser send this operation without a preflight: then nobody knows
 * whether its user wants it. https://fetch.spec.whatwg.org/#cors-safelisted-request-header
 */
export function couldBeForged({ method, headers, url = '' }: IncomingMessage): boolean {
  if (headers.authorization !== undefined || headers['graphql-require-preflight'] !== undefined) return false;
  if (method === 'GET') return new URLSearchParams(url.split('?')[1]).has('query') && !isPageView(headers.accept);
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return method === 'POST' && (type === undefined || simpleTypes.includes(type));
}

/** Whether a browser wants to see a page, and no operation is executed. */
export const isPageView = (accept: string | undefined) => accept?.includes('text/html') === true;
