import { connect, type Socket } from 'node:net';

/** Opens a TCP connection to a server, writes bytes, and never reads a byte or ends. Resolves when the connection is closed. */
export async function hold(url: string, bytes: Iterable<string | Buffer>, until: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  until.addEventListener('abort', () => socket.destroy(), { once: true });
  for (const part of bytes) {
    if (socket.destroyed) break;
    if (!socket.write(part)) {
      await Promise.race([closed, new Promise<void>((resolve) => socket.once('drain', () => resolve()))]);
    }
  }
  await closed;
}

/** The head of a POST to /graphql. */
export const postHead = (length: number, authorization = '') =>
  `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${authorization && `authorization: ${authorization}\r\n`}\r\n`;

/** The handshake of a GraphQL socket. */
export const socketHead =
  'GET /graphql HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n';

/** The head of a masked text frame of so many bytes (RFC 6455, 5.2), with a mask of zeros. */
export function frameHead(length: number): Buffer {
  const head = Buffer.alloc(14);
  head.set([0x81, 0xff]);
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A whole masked text frame with a JSON message. */
export const frame = (message: object): Buffer => {
  const payload = Buffer.from(JSON.stringify(message));
  return Buffer.concat([frameHead(payload.length), payload]);
};
