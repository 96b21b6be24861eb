import dns from 'node:dns';
import net from 'node:net';
import { Agent, buildConnector, fetch, type RequestInit, type Response } from 'undici';
import { pluginCallLimits } from '../limits.ts';
import type { HostPolicy } from './address.ts';

const connectMs = 5000;
/** The limit of the time until the headers, and of the time between two parts of the body. */
const responseMs = 30_000;
const redirects = new Set([301, 302, 303, 307, 308]);
/** The headers that a redirect to another origin keeps. */
const redirectedHeaders = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

/** Plugins may not call the host. The message is for the person who set up the plugin. */
export class BlockedHostError extends Error {
  constructor(host: string) {
    super(`${host} has an address that is not public. The operator can allow the host in PLUGIN_HOSTS.`);
  }
}

/** A `fetch` for URLs that users provide: it does not connect to addresses that the policy forbids. */
export class SafeFetch {
  readonly #policy: HostPolicy;
  readonly #agent: Agent;

  /** `lookup`: resolves host names; tests replace it. */
  constructor(policy: HostPolicy, lookup: typeof dns.lookup = dns.lookup) {
    this.#policy = policy;
    const connect = this.#connector(lookup);
    this.#agent = new Agent({ connect, connections: 32, headersTimeout: responseMs, bodyTimeout: responseMs });
  }

  /**
   * Fetches a URL. The address is checked at the connection, so that a name cannot resolve to one address for the check and
   * to another for the request. Redirects are followed for GET and HEAD only; credentials are not sent to another origin.
   * Throws BlockedHostError and the errors of `fetch`.
   */
  async fetch(url: URL, init: RequestInit = {}): Promise<Response> {
    let next = url;
    let request = init;
    for (let count = 0; ; count += 1) {
      this.#check(next);
      const response = await this.#fetchOnce(next, request);
      const location = response.headers.get('location');
      const isGet = (request.method ?? 'GET') === 'GET' || request.method === 'HEAD';
      if (!redirects.has(response.status) || location === null || !isGet) return response;
      await response.body?.cancel();
      if (count === pluginCallLimits.redirects) throw new TypeError('too many redirects');
      const target = new URL(location, next);
      if (target.origin !== next.origin) request = { ...request, headers: withoutSecrets(request.headers) };
      next = target;
    }
  }

  /** Closes all connections. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #check({ protocol, username, password }: URL): void {
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not http: or https:`);
    if (username || password) throw new TypeError('a URL must not contain a user name or a password');
  }

  async #fetchOnce(url: URL, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, redirect: 'manual', dispatcher: this.#agent });
    } catch (error) {
      const { cause } = error as { cause?: unknown };
      throw cause instanceof BlockedHostError ? cause : error;
    }
  }

  #connector(lookup: typeof dns.lookup): buildConnector.connector {
    const connector = buildConnector({
      timeout: connectMs,
      autoSelectFamily: true,
      lookup: (hostname, options, done) => {
        lookup(hostname, { ...options, all: true }, (error, addresses) => {
          if (error) return done(error, []);
          const isAllowed =
            addresses.length > 0 && addresses.every(({ address }) => this.#policy.allows(hostname, address));
          if (!isAllowed) return done(new BlockedHostError(hostname), []);
          if (options.all) return done(null, addresses);
          done(null, addresses[0]?.address ?? '', addresses[0]?.family);
        });
      },
    } as buildConnector.BuildOptions);
    return (options, done) => {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      // A literal address does not pass through the lookup.
      if (net.isIP(host) && !this.#policy.allows(host, host)) return done(new BlockedHostError(host), null);
      connector(options, (error, socket) => {
        if (error || !socket) return done(error ?? new Error('no socket'), null);
        if (this.#policy.allows(host, socket.remoteAddress ?? '')) return done(null, socket);
        socket.destroy();
        done(new BlockedHostError(host), null);
      });
    };
  }
}

const withoutSecrets = (headers: RequestInit['headers']) =>
  Object.entries((headers ?? {}) as Record<string, string>).filter(([name]) =>
    redirectedHeaders.has(name.toLowerCase()),
  );
