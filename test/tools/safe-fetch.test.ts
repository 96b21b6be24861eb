import type { lookup } from 'node:dns';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HostPolicy, isPublicAddress } from '../../src/tools/plugin/address.ts';
import { BlockedHostError, SafeFetch } from '../../src/tools/plugin/safe-fetch.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';

let app: TestApp;
let inside: EchoServer;
let port: string;

beforeAll(async () => {
  app = await startTestApp();
  inside = await startEchoServer();
  port = new URL(inside.url).port;
});
afterAll(async () => {
  await inside.close();
  await app.stop();
});

/** Finds the addresses of names as a test says. */
const resolving = (find: (name: string) => string[]) =>
  ((name: string, _options: object, done: (error: null, list: object[]) => void) =>
    done(
      null,
      find(name).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as unknown as typeof lookup;

test.each([
  ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1'],
  ...[
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '192.88.99.1',
  ],
  ...[
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::7f00:1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    'fec0::1',
  ],
  ...[
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    '100::1',
    '4000::1',
    'fe80::1%eth0',
    'x',
    '',
  ],
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['1.1.1.1', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

describe('internal addresses cannot be reached', () => {
  const spelled = [
    ...['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0', '[::1]', '[::ffff:127.0.0.1]'],
    ...['[::ffff:7f00:1]', '１２７.０.０.１', 'LOCALHOST', '127.0.0.1.'],
  ];
  test.each(spelled)('by the URL http://%s', async (host) => {
    const input = { name: 'x', source: { mcp: { url: `http://${host}:${port}/mcp` } } };
    const result = await app.client.mutate('registerPlugin', input, 'plugin { id }');
    expect(result.__typename).toBe('InvalidInputError');
    const document = { name: 'x', source: { openapi: { url: `http://${host}:${port}/` } } };
    expect(await app.client.mutate('registerPlugin', document, 'plugin { id }')).toMatchObject({
      __typename: 'InvalidInputError',
    });
    expect(inside.heard).toEqual([]);
  });

  test('by a name that resolves to a public address for the check and to another for the request', async () => {
    let asked = 0;
    const turning = resolving(() => {
      asked += 1;
      return asked === 1 ? ['203.0.113.9', '127.0.0.1'] : ['127.0.0.1'];
    });
    const safe = new SafeFetch(new HostPolicy([]), turning);
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(safe.fetch(new URL(`http://turning.example:${port}/`))).rejects.toBeInstanceOf(BlockedHostError);
    }
    await safe.close();
    expect(inside.heard).toEqual([]);
  });

  test('by a redirect', async () => {
    await using outside = await startEchoServer((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
    });
    const safe = new SafeFetch(
      new HostPolicy(['outside.example']),
      resolving(() => ['127.0.0.1']),
    );
    const address = new URL(`http://outside.example:${new URL(outside.url).port}/`);
    await expect(safe.fetch(address)).rejects.toBeInstanceOf(BlockedHostError);
    expect([outside.heard.length, inside.heard.length]).toEqual([1, 0]);
    await safe.close();
  });

  test('by another protocol, or with a password in the URL', async () => {
    const safe = new SafeFetch(new HostPolicy([]));
    for (const url of ['file:///etc/passwd', 'data:text/plain,x', 'ftp://127.0.0.1/', 'http://a:b@example.com/']) {
      await expect(safe.fetch(new URL(url))).rejects.toBeInstanceOf(TypeError);
    }
    await safe.close();
  });
});

test('the hosts, addresses and ranges that the operator allows can be reached, and no others', async () => {
  const named = new SafeFetch(
    new HostPolicy(['crm.internal']),
    resolving(() => ['127.0.0.1']),
  );
  expect((await named.fetch(new URL(`http://CRM.internal:${port}/`))).status).toBe(200);
  await expect(named.fetch(new URL(`http://other.internal:${port}/`))).rejects.toBeInstanceOf(BlockedHostError);
  await named.close();
  for (const allowed of ['127.0.0.1', '127.0.0.0/8']) {
    const safe = new SafeFetch(new HostPolicy([allowed]));
    expect((await safe.fetch(new URL(inside.url))).status).toBe(200);
    await expect(safe.fetch(new URL(`http://[::1]:${port}/`))).rejects.toBeInstanceOf(BlockedHostError);
    await safe.close();
  }
});
