import dns from 'node:dns';
import net from 'node:net';
import { Agent, buildConnector, fetch, type RequestInit, type Response } from 'undici';
import type { HostPolicy } from './address.ts';

const connectMs = 5000;
const answerMs = 30_000;
const maxRedirects = 3;
const redirects = new Set([301, 302, 303, 307, 308]);
/** What is not sent on to another origin. */
const kept = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

/** A host that plug-ins may not call. The message is for whoever set the plug-in up. */
export class BlockedHostError extends Error {
  constructor(host: string) {
    super(`${host} is not, or not only, at a public address: the operator can allow it in PLUGIN_HOSTS.`);
  }
}

/** Calls servers that others name, at no address that they must not reach. */
export class SafeFetch {
  readonly #policy: HostPolicy;
  readonly #agent: Agent;

  /** `lookup`: finds the addresses of a name. */
  constructor(policy: HostPolicy, lookup: typeof dns.lookup = dns.lookup) {
    this.#policy = policy;
    const connect = this.#connector(lookup);
    this.#agent = new Agent({ connect, connections: 32, headersTimeout: answerMs, bodyTimeout: answerMs });
  }

  /**
   * Fetches, as `fetch` does. Each address is judged when it is connected to, so that a name cannot be of one address for the
   * check and of another for the call; literal addresses are, too. Redirects are followed for GET alone, and what shows who
   * asks stays with the first origin. Throws BlockedHostError and what fetch throws.
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
      if (count === maxRedirects) throw new TypeError('too many redirects');
      const target = new URL(location, next);
      if (target.origin !== next.origin) request = { ...request, headers: withoutSecrets(request.headers) };
      next = target;
    }
  }

  /** Closes what is open. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  #check({ protocol, username, password }: URL): void {
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is no http(s) address`);
    if (username || password) throw new TypeError('an address has no user and password in it');
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
          const isGood =
            addresses.length > 0 && addresses.every(({ address }) => this.#policy.allows(hostname, address));
          if (!isGood) return done(new BlockedHostError(hostname), []);
          if (options.all) return done(null, addresses);
          done(null, addresses[0]?.address ?? '', addresses[0]?.family);
        });
      },
    } as buildConnector.BuildOptions);
    return (options, done) => {
      const host = options.hostname.replace(/^\[|\]$/g, '');
      // Nobody looks a literal address up.
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
  Object.entries((headers ?? {}) as Record<string, string>).filter(([name]) => kept.has(name.toLowerCase()));
