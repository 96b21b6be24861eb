import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as ws from 'ws';
import { WebSocket } from 'ws';
import { FrameMeter } from '../../src/server/live/frame-meter.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { openSocket, type RawSocket } from '../support/raw-socket.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ MAX_REQUEST_MEMORY_BYTES: '300000' });
});
afterAll(() => app.stop());

// The types of the library leave out what reads and writes frames.
const { Receiver, Sender } = ws as unknown as Record<string, new (...args: object[]) => any>;

/** The TCP connection under a socket: what is written to it goes around the library. */
const streamOf = ({ socket }: { socket: WebSocket }) =>
  (socket as unknown as { _socket: import('node:net').Socket })._socket;

/** The head of a frame of text, masked with zeros. */
function frameHead(length: number, { isLast = true, isFirst = true } = {}): Buffer {
  const head = Buffer.alloc(14);
  head[0] = (isLast ? 0x80 : 0) | (isFirst ? 1 : 0);
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

const sendPadded = (socket: RawSocket, id: string, padding: number) =>
  socket.send(id, '{ viewer { kind } }', { x: 'x'.repeat(padding) });

describe('a socket without an accepted credential is closed with 1009', () => {
  const openAnonymous = async () => {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const closed = once(socket, 'close').then(([code]) => code as number);
    await once(socket, 'open');
    return { socket, closed };
  };

  test('when it announces a message of more than 16 kB', async () => {
    const socket = await openAnonymous();
    streamOf(socket).write(frameHead(7_900_000));
    expect(await socket.closed).toBe(1009);
  });

  test('when the fragments of a message together have more than 16 kB', async () => {
    const socket = await openAnonymous();
    const half = 10_000;
    streamOf(socket).write(Buffer.concat([frameHead(half, { isLast: false }), Buffer.alloc(half)]));
    streamOf(socket).write(frameHead(half, { isFirst: false }));
    expect(await socket.closed).toBe(1009);
  });

  test('when a message comes in too many pieces', async () => {
    const socket = await openAnonymous();
    const stream = streamOf(socket).setNoDelay(true);
    stream.write(frameHead(16_000));
    const timer = setInterval(() => stream.write('x'), 1);
    expect(await socket.closed).toBe(1009);
    clearInterval(timer);
  });

  test('also after connection_init without a credential', async () => {
    const socket = await openSocket(app.client, { isAnonymous: true });
    streamOf(socket).write(frameHead(7_900_000));
    expect((await socket.closed).code).toBe(1009);
  });
});

test('a socket with an accepted credential can send large messages, one after the other', async () => {
  const socket = await openSocket(app.client);
  for (const id of ['a', 'b', 'c', 'd', 'e']) sendPadded(socket, id, 200_000);
  await expect.poll(() => socket.received.filter(({ type }) => type === 'complete').length).toBe(5);
  socket.socket.terminate();
});

test('a socket that authenticates with its first operation can send large messages afterwards', async () => {
  const socket = await openSocket(app.client, { isAnonymous: true });
  socket.send('first', '{ viewer { kind } }', {}, { authorization: `Bearer ${app.client.key}` });
  await expect.poll(() => socket.of('first').length).toBe(2);
  sendPadded(socket, 'second', 100_000);
  await expect.poll(() => socket.of('second').length).toBe(2);
  socket.socket.terminate();
});

test('unfinished messages share the memory of requests: a further one closes its socket with 1013', async () => {
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => openSocket(app.client)));
  if (!first || !second || !third) throw new Error('no socket');
  const unfinished = Buffer.concat([frameHead(500_000), Buffer.alloc(200_000)]);
  streamOf(first).write(unfinished);
  streamOf(second).write(unfinished);
  expect(await Promise.race([first.closed, second.closed])).toMatchObject({ code: 1013 });
  third.send('small', '{ viewer { kind } }');
  await expect.poll(() => third.of('small').length).toBe(2);
  first.socket.terminate();
  second.socket.terminate();
  await expect
    .poll(async () => {
      const again = await openSocket(app.client);
      sendPadded(again, 'large', 200_000);
      await Promise.race([once(again.socket, 'message'), again.closed]);
      again.socket.terminate();
      return again.of('large').length > 0;
    })
    .toBe(true);
  third.socket.terminate();
});

test.each([
  [1, [0, 1, 125, 126, 127, 300]],
  [40, [0, 1, 125, 126, 127, 300]],
  [5000, [65_535, 65_536, 100_000]],
  [1_000_000, [0, 126, 65_536]],
])('a frame meter finds the messages that the library finds, in pieces of up to %i bytes', (longest, lengths) => {
  const written: Buffer[] = [];
  const stream = { cork: () => {}, uncork: () => {}, write: (bytes: Buffer) => written.push(Buffer.from(bytes)) };
  const sender = new (Sender as NonNullable<typeof Sender>)(stream, {});
  for (const length of lengths) {
    const options = { fin: true, binary: true, mask: true, compress: false };
    sender.send(Buffer.alloc(length), options, () => {});
    sender.send(Buffer.alloc(length), { ...options, fin: false }, () => {});
    sender.ping(Buffer.alloc(10), true, () => {});
    sender.send(Buffer.alloc(3), options, () => {});
  }
  const bytes = Buffer.concat(written);
  const receiver = new (Receiver as NonNullable<typeof Receiver>)({ isServer: true });
  const meter = new FrameMeter();
  let messages = 0;
  let mostAnnounced = 0;
  const mismatches: number[] = [];
  receiver.on('message', () => {
    messages += 1;
  });
  for (let at = 0, state = 1; at < bytes.length; ) {
    state = (state * 48_271) % 2_147_483_647;
    const piece = bytes.subarray(at, at + 1 + (state % longest));
    meter.read(piece, () => {
      mostAnnounced = Math.max(mostAnnounced, meter.announced);
    });
    receiver.write(Buffer.from(piece));
    if (meter.messages !== messages) mismatches.push(at);
    at += piece.length;
  }
  expect(mismatches).toEqual([]);
  expect([meter.messages, meter.announced]).toEqual([2 * lengths.length, 0]);
  expect(mostAnnounced).toBe(Math.max(...lengths) + 3);
});
