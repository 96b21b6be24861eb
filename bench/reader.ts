import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { now, sentTimes } from './stream-model.ts';

/** What one reader, or many, have seen. */
export interface Seen {
  /** From when a token was sent until it was read, in milliseconds. */
  latencies: number[];
  messages: number;
  tokens: number;
  bytes: number;
}

export const nothingSeen = (): Seen => ({ latencies: [], messages: 0, tokens: 0, bytes: 0 });

/** A reader that reads what it hears: how long each token was on its way. */
export async function openReader(url: string, key: string, query: string, variables: object, seen: Seen) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  });
  const { promise: over, resolve } = Promise.withResolvers<void>();
  await new Promise((opened) => socket.once('open', opened));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: key } }));
  await new Promise((acknowledged) => socket.once('message', acknowledged));
  socket.on('message', (data: Buffer) => {
    const { runEvents } = JSON.parse(String(data)).payload?.data ?? {};
    if (runEvents?.text) {
      const at = now();
      const times = sentTimes(runEvents.text);
      for (const time of times) seen.latencies.push(at - time);
      seen.tokens += times.length;
      seen.messages += 1;
      seen.bytes += data.length + 2 + (data.length > 125 ? 2 : 0);
    }
    if (runEvents?.status === 'COMPLETED') resolve();
  });
  if (query) socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables } }));
  return { over, close: () => socket.terminate() };
}

/** A reader that only takes what comes, so that many of them cost little here. */
export async function openCheapReader(url: string, key: string, query: string, variables: object): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  const handshake = [
    'GET /graphql HTTP/1.1',
    `Host: ${hostname}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: graphql-transport-ws',
  ];
  socket.write(`${handshake.join('\r\n')}\r\n\r\n`);
  await new Promise((heard) => socket.once('data', heard));
  socket.write(frame({ type: 'connection_init', payload: { authorization: key } }));
  await new Promise((heard) => socket.once('data', heard));
  if (query) socket.write(frame({ id: '1', type: 'subscribe', payload: { query, variables } }));
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

/** A text frame of a client: masked, as the protocol wants it (RFC 6455, 5.2), here with a mask of zeros. */
function frame(message: object): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  const length =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([length, Buffer.alloc(4), payload]);
}
