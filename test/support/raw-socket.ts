import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Client } from './client.ts';

/** What comes on a socket. */
interface Heard {
  type: string;
  id?: string;
  payload?: any;
}

/** A socket whose messages are written by hand. */
export interface RawSocket {
  socket: WebSocket;
  heard: Heard[];
  closed: Promise<{ code: number; reason: string }>;
  /** Sends an operation. `headers`: what it says of who sends it. */
  send(id: string, query: string, variables?: object, headers?: object): void;
  /** What has come for an operation. */
  of(id: string): Heard[];
}

/** Opens a socket that has said who it is, unless it is anonymous; resolves also when it is closed instead. */
export async function openSocket(client: Client, { autoPong = true, isAnonymous = false } = {}): Promise<RawSocket> {
  const url = `${client.url.replace('http', 'ws')}/graphql`;
  const socket = new WebSocket(url, 'graphql-transport-ws', { autoPong });
  const heard: Heard[] = [];
  const closed = once(socket, 'close').then(([code, reason]) => ({ code: code as number, reason: String(reason) }));
  socket.on('message', (data) => heard.push(JSON.parse(String(data))));
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
  const of = (id: string) => heard.filter((message) => message.id === id);
  return { socket, heard, closed, send, of };
}
