import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { WebSocketServer } from 'ws';
import type { SharedMemory } from '../../async/shared-memory.ts';
import type { Timing } from '../../config/timing.ts';
import type { Cors } from '../cors.ts';
import { serverLimits } from '../limits.ts';
import { ClientSocket } from './client-socket.ts';
import type { LivenessLimits } from './liveness.ts';

export interface AcceptOptions {
  origins: Cors;
  /** Whether the client of a request may open a socket, which is open until `socket` closes. */
  accepts(request: IncomingMessage, socket: EventEmitter): boolean;
  /** Bytes of one message of a client. */
  maxPayloadBytes: number;
  /** Shared by all messages that are being received. */
  memory: SharedMemory;
  liveness: LivenessLimits;
  timing: Timing['socket'];
}

/** Accepts WebSockets on /graphql from pages of allowed origins and from clients that are no browsers. */
export function acceptSockets(server: Server, options: AcceptOptions) {
  const { origins, maxPayloadBytes: maxPayload, memory, liveness, timing } = options;
  const { socketPieces: maxBufferedChunks, socketFragments: maxFragments } = serverLimits;
  const sockets = new WebSocketServer({
    ...{ noServer: true, WebSocket: ClientSocket },
    ...{ maxPayload, maxBufferedChunks, maxFragments },
  });
  sockets.on('connection', (socket, request) => {
    socket.start(request.socket, liveness, memory, timing);
  });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    // Node.js has removed its listeners: an unhandled reset would end the process.
    socket.on('error', () => socket.destroy());
    const refuse = (status: string) => socket.end(`HTTP/1.1 ${status}\r\n\r\n`, () => socket.destroy());
    const [path] = (request.url ?? '/').split('?', 1);
    if (path !== '/graphql') return refuse('404 Not Found');
    if (!origins.allows(request)) return refuse('403 Forbidden');
    if (!options.accepts(request, socket)) return refuse('429 Too Many Requests');
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request));
  });
  return sockets;
}
