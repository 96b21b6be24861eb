import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { countedAddress } from '../../src/server/http/address-counts.ts';
import { serverLimits } from '../../src/server/limits.ts';
import { startTestApp } from '../support/app.ts';
import { ServerProcess } from '../support/process.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { useApp } from '../support/use-app.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

test.each([
  ['of an address', { MAX_CONNECTIONS_PER_ADDRESS: '3' }],
  ['in all', { MAX_CONNECTIONS: '3', MAX_CONNECTIONS_PER_ADDRESS: '0' }],
])('a connection beyond the limit %s is closed at once, until another has closed', async (_name, environment) => {
  await using app = await startTestApp(environment);
  const open = await Promise.all(Array.from({ length: 3 }, () => RawConnection.open(app.url)));
  for (const connection of open) connection.send(get('/health'));
  for (const connection of open) expect(await connection.until(/ok/)).toBe(200);
  using refused = await RawConnection.open(app.url);
  await refused.closed;
  expect(refused.received).toBe('');
  open[0]?.socket.destroy();
  await expect
    .poll(async () => {
      using next = await RawConnection.open(app.url);
      next.send(get('/health'));
      return await next.until(/ok/).catch(() => 0);
    })
    .toBe(200);
  for (const connection of open) connection.socket.destroy();
});

test('a burst of a thousand connections waits to be accepted while the server is busy', async () => {
  await using server = await ServerProcess.prepare({ MAX_CONNECTIONS_PER_ADDRESS: '0' });
  await server.start();
  const { hostname, port } = new URL(server.url);
  // A stopped process accepts nothing: only the system keeps the connections.
  process.kill(server.pid, 'SIGSTOP');
  const sockets = Array.from({ length: 1000 }, () => connect(Number(port), hostname));
  try {
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  } finally {
    process.kill(server.pid, 'SIGCONT');
    for (const socket of sockets) socket.destroy();
  }
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
}, 20_000);

test('the addresses of one IPv6 network count as one, and a mapped IPv4 address as itself', () => {
  expect(countedAddress('2001:db8:1:2:3:4:5:6')).toBe(countedAddress('2001:db8:1:2::1'));
  expect(countedAddress('2001:db8:1:3::1')).not.toBe(countedAddress('2001:db8:1:2::1'));
  expect(countedAddress('::ffff:192.0.2.7')).toBe('192.0.2.7');
  expect(countedAddress('192.0.2.7')).toBe('192.0.2.7');
});

describe('one connection', () => {
  const app = useApp({ environment: { CORS_ORIGINS: 'https://app.example' } });

  test('is closed when more requests wait on it than its limit', async () => {
    using connection = await RawConnection.open(app.url);
    connection.send(get('/ready').repeat(serverLimits.pipelinedRequests + 1));
    await connection.closed;
    expect(connection.received).toBe('');
    using other = await RawConnection.open(app.url);
    other.send(get('/ready').repeat(serverLimits.pipelinedRequests));
    await expect.poll(() => other.received.split('"ready"').length - 1).toBe(serverLimits.pipelinedRequests);
  });

  test('that offers HTTP/2 is served over HTTP/1.1', async () => {
    using connection = await RawConnection.open(app.url);
    const body = JSON.stringify({ query: '{ viewer { kind } }' });
    const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' };
    connection.post({ ...app.client.headers, ...offer, 'content-length': body.length });
    connection.send(body);
    expect(await connection.until(/"kind":"API_KEY"/)).toBe(200);
  });

  test('with a URL above the limit of headers is refused with 431', async () => {
    using connection = await RawConnection.open(app.url);
    connection.send(get(`/graphql?query=${'x'.repeat(serverLimits.headerBytes)}`));
    expect(await connection.until(/\r\n\r\n/)).toBe(431);
  });

  test('with `expect: 100-continue` receives 100 Continue', async () => {
    using connection = await RawConnection.open(app.url);
    const body = JSON.stringify({ query: '{ viewer { kind } }' });
    connection.post({ ...app.client.headers, expect: '100-continue', 'content-length': body.length });
    expect(await connection.until(/\r\n\r\n/)).toBe(100);
    connection.send(body);
    await connection.until(/"kind":"API_KEY"/);
  });

  test.each([
    ['https://app.example', 101],
    ['https://evil.example', 403],
    ['https://app.example.evil.example', 403],
    ['null', 403],
  ])('from a page of %s is upgraded to a WebSocket with the status %i', async (origin, status) => {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { origin });
    const opened = once(socket, 'open').then(() => 101);
    const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number);
    expect(await Promise.race([opened, refused])).toBe(status);
    socket.on('error', () => {}).terminate();
  });
});
