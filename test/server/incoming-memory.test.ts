import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ServerProcess } from '../support/process.ts';
import { RawConnection } from '../support/raw-connection.ts';

const megabytes = 1_000_000;
const bytes = Buffer.alloc(7.9 * megabytes, 'x');

let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.prepare({});
  await server.start();
  for (let index = 0; index < 50; index += 1) await server.client.data('{ viewer { kind } }');
});
afterAll(() => server[Symbol.asyncDispose]());

/** Bytes of memory that the server's process has. */
async function residentBytes(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** The most that the memory of the server grew while `work` was under way. */
async function growthDuring(work: () => Promise<unknown>): Promise<number> {
  const before = await residentBytes();
  let most = before;
  let isDone = false;
  const done = work().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    most = Math.max(most, await residentBytes());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await done;
  return most - before;
}

test.runIf(process.platform === 'linux')('200 unfinished bodies without a credential take little memory', async () => {
  const send = async () => {
    const connection = await RawConnection.open(server.url);
    connection.post({ 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    connection.send(`${bytes.length.toString(16)}\r\n`);
    connection.send(bytes);
    await connection.closed;
  };
  expect(await growthDuring(() => Promise.all(Array.from({ length: 200 }, send)))).toBeLessThan(60 * megabytes);
});

test.runIf(process.platform === 'linux')(
  '200 unfinished messages without a credential take little memory',
  async () => {
    const head = Buffer.alloc(14);
    head.set([0x81, 0x80 | 127]);
    head.writeBigUInt64BE(BigInt(bytes.length + 1), 2);
    const send = async () => {
      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      await once(socket, 'open');
      const stream = (socket as unknown as { _socket: Socket })._socket;
      stream.on('error', () => {});
      stream.write(head);
      stream.write(bytes);
      await once(
        socket.on('error', () => {}),
        'close',
      );
    };
    expect(await growthDuring(() => Promise.all(Array.from({ length: 200 }, send)))).toBeLessThan(60 * megabytes);
  },
);
