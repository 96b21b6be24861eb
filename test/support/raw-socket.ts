import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Client } from './client.ts';

/** A message of the server. */
interface ServerMessage {
  type: string;
  id?: string;
  payload?: any;
}

/** A socket with raw protocol messages. */
export interface RawSocket {
  socket: WebSocket;
  received: ServerMessage[];
  closed: Promise<{ code: number; reason: string }>;
  /** Sends an operation; `headers` go into its extensions. */
  send(id: string, query: string, variables?: object, headers?: object): void;
  /** The messages received for an operation. */
  of(id: string): ServerMessage[];
}

/** Opens a socket that sends its credential, unless it is anonymous; resolves when it is acknowledged or closed. */
export async function openSocket(client: Client, { autoPong = true, isAnonymous = false } = {}): Promise<RawSocket> {
  const url = `${client.url.replace('http', 'ws')}/graphql`;
  const socket = new WebSocket(url, 'graphql-transport-ws', { autoPong });
  const received: ServerMessage[] = [];
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) }));
  socket.on('message', (data) => received.push(JSON.parse(String(data))));
  await once(socket, 'open');
  const payload = isAnonymous ? {} : { authorization: `Bearer ${client.key}` };
  socket.send(JSON.stringify({ type: 'connection_init', payload }));
  await Promise.race([once(socket, 'message'), closed]);
  const send = (id: string, query: string, variables = {}, headers?: object) =>
    socket.send(
      JSON.stringify({
        id,
        type: 'subscribe',
        payload: { query, variables, ...(headers && { extensions: { headers } }) },
      }),
    );
  const of = (id: string) => received.filter((message) => message.id === id);
  return { socket, received, closed, send, of };
}
