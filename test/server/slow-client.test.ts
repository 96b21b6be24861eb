import { readdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { RawConnection } from '../support/raw-connection.ts';
import { openSocket } from '../support/raw-socket.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp } from '../support/use-app.ts';

const request = { ...fastTiming.request, headersMs: 400, headersCheckMs: 50, slowBodyMs: 200 };
const socket = { ...fastTiming.socket, messageMs: 500 };
const app = useApp({ config: { timing: { ...fastTiming, request, socket } } });

/** Sends one byte at a time, from time to time, until the connection closes. */
async function drip(connection: RawConnection): Promise<void> {
  const timer = setInterval(() => connection.send('x'), 50);
  await connection.closed;
  clearInterval(timer);
}

test('a connection that sends nothing is closed', async () => {
  using connection = await RawConnection.open(app.url);
  await connection.closed;
});

test('headers that arrive byte by byte are refused with 408', async () => {
  using connection = await RawConnection.open(app.url);
  connection.send('GET /health HTTP/1.1\r\nhost: localhost\r\nx: ');
  await drip(connection);
  expect(connection.received).toContain('HTTP/1.1 408');
});

test.each([
  ['of a stranger', () => ({ 'content-type': 'application/json' })],
  ['of a client', () => app.client.headers],
])('a body %s that arrives byte by byte is refused with 408', async (_name, headers) => {
  using connection = await RawConnection.open(app.url);
  connection.post({ ...headers(), 'content-length': 10_000 });
  await drip(connection);
  expect(connection.received).toContain('HTTP/1.1 408');
  expect(connection.received).toContain('too slowly');
});

test('a file that arrives byte by byte is refused with 408 and leaves nothing', async () => {
  using connection = await RawConnection.open(app.url);
  const operations = '{"query":"mutation($f: Upload!) { x }","variables":{"f":null}}';
  const part = (name: string, value: string) => `--b\r\nContent-Disposition: form-data; ${name}\r\n\r\n${value}`;
  connection.post({
    ...app.client.headers,
    'content-type': 'multipart/form-data; boundary=b',
    'content-length': 100_000,
  });
  connection.send(
    `${part('name="operations"', operations)}\r\n${part('name="map"', '{"0":["variables.f"]}')}\r\n${part('name="0"; filename="a"', '')}`,
  );
  await drip(connection);
  expect(connection.received).toContain('HTTP/1.1 408');
  await expect.poll(() => readdir(app.app.services.staging.folder)).toEqual([]);
});

test('a message of a socket that does not end is given up with 4410', async () => {
  const opened = await openSocket(app.client);
  const { _socket: stream } = opened.socket as unknown as { _socket: Socket };
  const timer = setInterval(() => stream.write('x'), 20);
  stream.write(Buffer.from([0x81, 0x80 | 126, 10, 0, 0, 0, 0, 0]));
  expect((await opened.closed).code).toBe(4410);
  clearInterval(timer);
});
