import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { serverLimits } from '../../src/server/limits.ts';
import { TrustedProxies } from '../../src/server/trusted-proxies.ts';
import { startTestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { openSocket } from '../support/raw-socket.ts';
import { answerBy, type Transport } from '../support/transports.ts';
import { upload } from '../support/upload.ts';
import { useApp } from '../support/use-app.ts';

type Headers = Record<string, string>;

/** A client whose requests arrive with the headers of a proxy. */
class ProxiedClient extends Client {
  readonly #forwarded: Headers;

  constructor({ url, key }: Client, forwarded: Headers) {
    super(url, key);
    this.#forwarded = forwarded;
  }

  override get headers(): Headers {
    return { ...super.headers, ...this.#forwarded };
  }
}

const linkQuery = 'query($id: ID!) { file(id: $id) { url } }';

/** The origin in the link to a file that a client gets with the headers of a proxy. */
async function originFor(client: Client, id: string, forwarded: Headers): Promise<string> {
  const data = await new ProxiedClient(client, forwarded).data(linkQuery, { id });
  return new URL(data.file.url).origin;
}

/** Opens a WebSocket with headers. Resolves to the status of the response. */
async function upgrade(url: string, headers: Headers): Promise<{ status: number; socket: WebSocket }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number);
  return { status: await Promise.race([once(socket, 'open').then(() => 101), refused]), socket };
}

const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'graph.example' };

describe('links to files', () => {
  const app = useApp({ environment: { TRUST_PROXY: 'loopback' } });

  test.each<[string, Headers, string]>([
    ['scheme and host', forwarded, 'https://graph.example'],
    ['port in the host', { ...forwarded, 'x-forwarded-host': 'graph.example:8443' }, 'https://graph.example:8443'],
    ['port of its own', { ...forwarded, 'x-forwarded-port': '8443' }, 'https://graph.example:8443'],
    ['port of a plain inner proxy', { ...forwarded, 'x-forwarded-port': '80' }, 'https://graph.example'],
    ['IPv6 address', { ...forwarded, 'x-forwarded-host': '[2001:db8::1]:8443' }, 'https://[2001:db8::1]:8443'],
    ['scheme of a WebSocket', { ...forwarded, 'x-forwarded-proto': 'wss' }, 'https://graph.example'],
    ['last of several values', twice('evil.example, graph.example'), 'https://graph.example'],
    ['default scheme', { 'x-forwarded-host': 'graph.example' }, 'http://graph.example'],
  ])('have the %s of a trusted proxy', async (_name, headers, origin) => {
    const { id } = await upload(app.client, 'text', 'a.txt');
    expect(await originFor(app.client, id, headers)).toBe(origin);
  });

  test.each([
    ...['', ' ', '/', 'a/b', 'user@graph.example', 'a b', 'a:b', 'a:99999', '[::1', '[zz]', 'a?b', 'a#b', '<script>'],
    ...['x'.repeat(10_000), 'a,'.repeat(5000), '[:::]', '..:1:1'],
  ])('have the Host of the request where X-Forwarded-Host is %j', async (host) => {
    const { id } = await upload(app.client, 'text', 'a.txt');
    const headers = { 'x-forwarded-host': host, 'x-forwarded-proto': 'https, gopher', 'x-forwarded-port': '1e3' };
    expect(await originFor(app.client, id, headers)).toBe(app.url);
  });

  test.each<Transport>(['JSON', 'GET', 'GraphQL response', 'event stream', 'reserved event stream', 'multipart'])(
    'follow the proxy of a client that asks by %s',
    async (transport) => {
      const { id } = await upload(app.client, 'text', 'a.txt');
      const client = new ProxiedClient(app.client, forwarded);
      const { data } = await answerBy(transport, client, linkQuery, { id });
      expect(data.file.url).toMatch(/^https:\/\/graph\.example\/files\/file_/);
    },
  );

  test('follow the proxy of a client that asks over a WebSocket', async () => {
    const { id } = await upload(app.client, 'text', 'a.txt');
    const { socket } = await upgrade(app.url, forwarded);
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${app.client.key}` } }));
    await once(socket, 'message');
    socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query: linkQuery, variables: { id } } }));
    const [message] = await once(socket, 'message');
    expect(JSON.parse(String(message)).payload.data.file.url).toMatch(/^https:\/\/graph\.example\/files\/file_/);
    socket.terminate();
  });

  test('in the same event differ between subscribers behind different proxies', async () => {
    const thread = await app.client.createThread();
    const query = `subscription($id: ID!) { threadEvents(threadId: $id) { __typename
      ... on MessageAdded { message { attachments { url } } } } }`;
    const hosts = ['one.example', 'two.example'];
    const stop = new AbortController();
    const streams = await Promise.all(
      hosts.map((host) => {
        const client = new ProxiedClient(app.client, { ...forwarded, 'x-forwarded-host': host });
        return client.stream(query, { id: thread.id }, stop.signal);
      }),
    );
    const { id } = await upload(app.client, 'text', 'a.txt');
    const message = { text: 'Read it', fileIds: [id] };
    await app.client.mutate('createMessage', { threadId: thread.id, message }, 'threadMessage { id }');
    const links = await Promise.all(streams.map((stream) => firstMatch(stream, /https?:\/\/[^/"]+\/files\//)));
    expect(links).toEqual(hosts.map((host) => `https://${host}/files/`));
    stop.abort();
  });

  test('open the file at the server', async () => {
    const { id } = await upload(app.client, 'the text', 'a.txt');
    const data = await new ProxiedClient(app.client, forwarded).data(linkQuery, { id });
    const { pathname, search } = new URL(data.file.url);
    expect(await (await fetch(app.url + pathname + search)).text()).toBe('the text');
  });
});

/** Headers with one that Node.js joined from several. */
function twice(host: string): Headers {
  return { 'x-forwarded-proto': 'http, https', 'x-forwarded-host': host };
}

/** The first text of a response that fits. */
async function firstMatch(response: Response, pattern: RegExp): Promise<string | undefined> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const match = pattern.exec(text);
    if (match) return match[0];
  }
  return undefined;
}

test.each<[string, Headers]>([
  ['without TRUST_PROXY', {}],
  ['from an address that is not in TRUST_PROXY', { TRUST_PROXY: '10.0.0.0/8,::1' }],
])('forwarded headers are ignored %s', async (_name, environment) => {
  await using app = await startTestApp({ ...environment, CORS_ORIGINS: 'null', MAX_CONNECTIONS_PER_ADDRESS: '200' });
  const { id } = await upload(app.client, 'text', 'a.txt');
  expect(await originFor(app.client, id, forwarded)).toBe(app.url);
  const { status } = await upgrade(app.url, { ...forwarded, origin: 'https://graph.example' });
  expect(status).toBe(403);
});

test('PUBLIC_URL wins over the headers of a trusted proxy, and is an origin of the server', async () => {
  const environment = { TRUST_PROXY: '1', PUBLIC_URL: 'https://public.example', CORS_ORIGINS: 'null' };
  await using app = await startTestApp(environment);
  const { id } = await upload(app.client, 'text', 'a.txt');
  expect(await originFor(app.client, id, forwarded)).toBe('https://public.example');
  const { status, socket } = await upgrade(app.url, { origin: 'https://public.example' });
  expect(status).toBe(101);
  socket.terminate();
});

describe('behind a trusted proxy', () => {
  const app = useApp({
    environment: { TRUST_PROXY: '127.0.0.1, 10.0.0.0/8', CORS_ORIGINS: 'null', MAX_CONNECTIONS_PER_ADDRESS: '3' },
  });
  const open: Array<{ [Symbol.dispose](): void }> = [];
  afterEach(() => {
    for (const each of open.splice(0)) each[Symbol.dispose]();
  });

  /** Starts a request of a client that does not end; resolves when the server has begun to serve or refuse it. */
  async function begin(address: string): Promise<RawConnection> {
    const connection = await RawConnection.open(app.url);
    open.push(connection);
    const waiting = { expect: '100-continue', 'content-length': 99 };
    connection.post({ ...app.client.headers, 'x-forwarded-for': address, ...waiting });
    await connection.until(/ 100 /);
    return connection;
  }

  /** The status of a WebSocket that a client opens and closes. */
  async function statusFor(address: string): Promise<number> {
    const { status, socket } = await upgrade(app.url, { 'x-forwarded-for': address });
    socket.terminate();
    return status;
  }

  test.each([
    ['https://graph.example', 101],
    ['https://evil.example', 403],
    ['http://127.0.0.1', 403],
  ])('a page of %s opens a WebSocket with the status %i', async (origin, expected) => {
    const { status, socket } = await upgrade(app.url, { ...forwarded, host: '127.0.0.1', origin });
    socket.terminate();
    expect(status).toBe(expected);
  });

  test('a client may have as many requests under way as its limit, whatever it claims to be', async () => {
    for (const claim of ['203.0.113.1', '203.0.113.2', '10.0.0.9']) await begin(`${claim}, 192.0.2.1, 10.0.0.8`);
    const refused = await begin('203.0.113.4, 192.0.2.1');
    await refused.until(/"code":"RATE_LIMITED"/);
    expect(refused.received).toContain('HTTP/1.1 429');
    expect(await statusFor('192.0.2.1')).toBe(429);
    expect(await statusFor('192.0.2.2')).toBe(101);
    open[0]?.[Symbol.dispose]();
    await expect.poll(() => statusFor('192.0.2.1')).toBe(101);
  });

  test('an open WebSocket counts for its client until it closes', async () => {
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    const sockets = await Promise.all([1, 2, 3].map(() => upgrade(app.url, headers)));
    expect(sockets.map(({ status }) => status)).toEqual([101, 101, 101]);
    expect(await statusFor('192.0.2.1')).toBe(429);
    for (const { socket } of sockets) socket.terminate();
    await expect.poll(() => statusFor('192.0.2.1')).toBe(101);
  });

  test('the connections of the proxy are not limited by their address', async () => {
    const connections = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(app.url)));
    open.push(...connections);
    for (const [index, connection] of connections.entries()) {
      connection.send(`GET /health HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 192.0.2.${index}\r\n\r\n`);
    }
    expect(await Promise.all(connections.map((connection) => connection.until(/ok/)))).toEqual(
      connections.map(() => 200),
    );
  });
});

test('a stranger who floods the server with documents does not make those at other addresses wait', async () => {
  await using app = await startTestApp({ TRUST_PROXY: '1' });
  using flood = await RawConnection.open(app.url);
  const count = serverLimits.pipelinedRequests;
  const requests = Array.from({ length: count }, (_, number) => {
    const names = Array.from({ length: 220 }, (_, index) => `F${number}_${index}`);
    const spreads = names.map((name) => `...${name}`).join(' ');
    const fragments = names.map((name) => `fragment ${name} on __Type { __typename }`).join(' ');
    const body = JSON.stringify({ query: `{ __schema { queryType { ${spreads} } } } ${fragments}` });
    const head = `content-type: application/json\r\ncontent-length: ${body.length}\r\nx-forwarded-for: 192.0.2.1`;
    return `POST /graphql HTTP/1.1\r\nhost: localhost\r\n${head}\r\n\r\n${body}`;
  });
  const ask = () =>
    fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.2' },
      body: '{"query":"{ __typename }"}',
    });
  await ask();
  flood.send(requests.join(''));
  await flood.until(/QUERY_TOO_COMPLEX/);
  expect((await ask()).status).toBe(200);
  expect(flood.received.split('HTTP/1.1 200').length - 1).toBeLessThan(count / 5);
});

test('the connections of others are limited by their address where proxies are trusted', async () => {
  await using app = await startTestApp({ TRUST_PROXY: 'private', MAX_CONNECTIONS_PER_ADDRESS: '2' });
  const { socket } = await openSocket(app.client);
  const { socket: other } = await openSocket(app.client);
  using refused = await RawConnection.open(app.url);
  refused.send('GET /health HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 192.0.2.9\r\n\r\n');
  await refused.closed;
  expect(refused.received).toBe('');
  for (const each of [socket, other]) each.terminate();
});

describe('the address of a client is', () => {
  const ranges = ['127.0.0.0/8', '10.0.0.0/8', '2001:db8:1::/48'];
  const many = Array.from({ length: 4000 }, () => '::1').join(',');
  test.each<[string, number | string[] | null, string | undefined, string | undefined, string]>([
    ['its own without a trusted proxy', null, '192.0.2.1', '203.0.113.1', '192.0.2.1'],
    ['its own where it is no proxy', ranges, '192.0.2.1', '203.0.113.1', '192.0.2.1'],
    ['that of the proxy without a header', ranges, '10.0.0.1', undefined, '10.0.0.1'],
    ['that of the proxy with an empty header', ranges, '10.0.0.1', '', '10.0.0.1'],
    ['the only one', ranges, '10.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['the last one', ranges, '10.0.0.1', '203.0.113.1, 192.0.2.1', '192.0.2.1'],
    ['before trusted ones', ranges, '::ffff:10.0.0.1', '203.0.113.1,192.0.2.1,10.9.9.9,::ffff:10.1.1.1', '192.0.2.1'],
    ['the farthest of trusted ones', ranges, '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['without its port', ranges, '10.0.0.1', '192.0.2.1:4711', '192.0.2.1'],
    ['an IPv6 address', ranges, '2001:db8:1::7', '2001:db8:2::1', '2001:db8:2::1'],
    ['an IPv6 address without brackets and port', ranges, '10.0.0.1', '[2001:db8:2::1]:443', '2001:db8:2::1'],
    ['an IPv6 address without its zone', ranges, '127.0.0.1', 'fe80::1%eth0', 'fe80::1'],
    ['that of the proxy before a text', ranges, '10.0.0.1', '192.0.2.1, evil', '10.0.0.1'],
    ['that of the last proxy before a text', ranges, '10.0.0.1', '192.0.2.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['that of the proxy before an address with a typing error', ranges, '10.0.0.1', '192.0.2.256', '10.0.0.1'],
    ['that of the proxy before nothing', ranges, '10.0.0.1', '192.0.2.1,', '10.0.0.1'],
    ['one of thousands', [...ranges, '::1/128'], '10.0.0.1', `192.0.2.1,${many}`, '192.0.2.1'],
    ['empty for a closed connection', ranges, undefined, '192.0.2.1', ''],
    ['the last one behind one proxy', 1, '192.0.2.7', '203.0.113.1, 10.0.0.1', '10.0.0.1'],
    ['the second from the end behind two proxies', 2, '192.0.2.7', '203.0.113.1, 192.0.2.1, 10.0.0.1', '192.0.2.1'],
    ['the first behind more proxies than addresses', 9, '192.0.2.7', '203.0.113.1, 10.0.0.1', '203.0.113.1'],
  ])('%s', (_name, trusted, remoteAddress, header, expected) => {
    const headers = header === undefined ? {} : { 'x-forwarded-for': header };
    expect(new TrustedProxies(trusted).addressOf({ headers, socket: { remoteAddress } })).toBe(expected);
  });
});
