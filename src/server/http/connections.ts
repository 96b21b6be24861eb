import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';

/** The connections that may be open at a time. */
export interface ConnectionLimits {
  all: number;
  /** 0: no limit. */
  perAddress: number;
}

/** The least time between two log entries about refused connections, in milliseconds. */
const logEveryMs = 60_000;

/**
 * The address that connections are counted by: of IPv6 the first 64 bits, because a client usually has all addresses below
 * them.
 */
export function countedAddress(remote: string): string {
  if (!ipaddr.isValid(remote)) return remote;
  const address = ipaddr.process(remote);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
}

/** Closes connections beyond the limits as soon as they are accepted, before anything is read from them. */
export function boundConnections(server: Server, { all, perAddress }: ConnectionLimits, log: Logger): void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  const refused = (reason: string) => {
    if (performance.now() - loggedAt < logEveryMs) return;
    loggedAt = performance.now();
    log.warn({ all, perAddress }, reason);
  };
  let total = 0;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = countedAddress(socket.remoteAddress ?? '');
    const count = (open.get(address) ?? 0) + 1;
    const isAddressFull = perAddress > 0 && count > perAddress;
    if (isAddressFull || total >= all) {
      const name = isAddressFull ? 'MAX_CONNECTIONS_PER_ADDRESS' : 'MAX_CONNECTIONS';
      refused(`${name} is reached: connections are refused`);
      socket.destroy();
      return;
    }
    total += 1;
    open.set(address, count);
    // Each request on the connection listens to its end.
    socket.setMaxListeners(10 + 3 * serverLimits.pipelinedRequests);
    socket.once('close', () => {
      total -= 1;
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
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
