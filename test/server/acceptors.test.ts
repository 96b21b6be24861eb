import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { listenWithAcceptors } from '../../src/server/http/acceptors.ts';

const host = '127.0.0.1';
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const closed = (server: Server) => new Promise((resolve) => server.close(resolve));

/** Opens connections from another process while this one is busy; all of them wait to be accepted then. */
function connectMany(port: number, count: number): void {
  const script = `
    const sockets = Array.from({ length: ${count} }, () => require('node:net').connect(${port}, '${host}'));
    Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve)))).then(() => process.exit());`;
  execFileSync(process.execPath, ['-e', script]);
}

test.runIf(process.platform === 'linux')('connections that wait are accepted many at a time', async () => {
  const server = createServer();
  const acceptors = await listenWithAcceptors(server, { port: 0, host, backlog: 1000 });
  let turn = 0;
  const turns: number[] = [];
  const all = Promise.withResolvers<void>();
  server.on('connection', () => {
    turns.push(turn);
    if (turns.length === 200) all.resolve();
  });
  const count = () => {
    turn += 1;
    if (turns.length < 200) setImmediate(count);
  };
  connectMany(portOf(server), 200);
  count();
  await all.promise;
  // One in a turn took 200 turns.
  expect(new Set(turns).size).toBeLessThan(100);
  await Promise.all([closed(server), acceptors.close()]);
});

test('a port at which another server listens is refused, until that one has closed', async () => {
  const first = createServer();
  const acceptors = await listenWithAcceptors(first, { port: 0, host });
  const port = portOf(first);
  await expect(listenWithAcceptors(createServer(), { port, host })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await Promise.all([closed(first), acceptors.close()]);
  const next = createServer((_request, response) => response.end('next'));
  const nextAcceptors = await listenWithAcceptors(next, { port, host });
  for (let tries = 0; tries < 20; tries += 1) {
    const response = await fetch(`http://${host}:${port}`, { headers: { connection: 'close' } });
    expect(await response.text()).toBe('next');
  }
  await Promise.all([closed(next), nextAcceptors.close()]);
});
