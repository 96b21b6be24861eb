import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';
import type { TrustedProxies } from '../trusted-proxies.ts';
import { AddressCounts } from './address-counts.ts';

/** The connections that may be open at a time. */
export interface ConnectionLimits {
  all: number;
  /** 0: no limit. */
  perAddress: number;
}

/** The least time between two log entries about refused clients, in milliseconds. */
const logEveryMs = 60_000;

/**
 * Bounds the open connections, and what each client has open. Behind a trusted proxy, the connections are the proxy's own:
 * there the requests and sockets under way count for the address of their client.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #proxies: TrustedProxies;
  readonly #log: Logger;
  readonly #direct: AddressCounts;
  readonly #proxied: AddressCounts;
  #total = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(limits: ConnectionLimits, proxies: TrustedProxies, log: Logger) {
    this.#limits = limits;
    this.#proxies = proxies;
    this.#log = log;
    this.#direct = new AddressCounts(limits.perAddress);
    this.#proxied = new AddressCounts(limits.perAddress);
  }

  /** Closes connections of a server beyond the limits as soon as they are accepted, before anything is read from them. */
  bound(server: Server): void {
    server.on('connection', (socket: Socket) => {
      if (!this.#admits(socket)) return void socket.destroy();
      // Each request on the connection listens to its end.
      socket.setMaxListeners(10 + 3 * serverLimits.pipelinedRequests);
      this.#total += 1;
      socket.once('close', () => {
        this.#total -= 1;
      });
    });
  }

  #admits(socket: Socket): boolean {
    if (this.#total >= this.#limits.all) return this.#refuse('MAX_CONNECTIONS is reached: connections are refused');
    if (this.#proxies.isProxy(socket) || this.#direct.add(socket.remoteAddress ?? '', socket)) return true;
    return this.#refuse('MAX_CONNECTIONS_PER_ADDRESS is reached: connections are refused');
  }

  /** Whether a request may be served, which is under way until `end` closes: its client has not too many behind proxies. */
  accepts(request: IncomingMessage, end: EventEmitter): boolean {
    if (!this.#proxies.isProxy(request.socket)) return true;
    if (this.#proxied.add(this.#proxies.addressOf(request), end)) return true;
    return this.#refuse('MAX_CONNECTIONS_PER_ADDRESS is reached behind a proxy: requests are refused');
  }

  #refuse(reason: string): false {
    if (performance.now() - this.#loggedAt >= logEveryMs) {
      this.#loggedAt = performance.now();
      this.#log.warn(this.#limits, reason);
    }
    return false;
  }
}

const waiting = new WeakMap<Socket, number>();

/**
 * Whether a request may be served. Closes a connection that sends requests without waiting for the responses to earlier ones
 * (pipelining), once too many of them wait: Node.js starts all of them at once.
 */
export function acceptPipelined({ socket }: IncomingMessage, response: ServerResponse): boolean {
  const count = (waiting.get(socket) ?? 0) + 1;
  if (count > serverLimits.pipelinedRequests) {
    socket.destroy();
    return false;
  }
  waiting.set(socket, count);
  response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
  return true;
}
