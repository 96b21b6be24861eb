import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serverLimits } from '../../src/server/limits.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { RawConnection } from '../support/raw-connection.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ MAX_REQUEST_MEMORY_BYTES: '300000' });
});
afterAll(() => app.stop());

const json = { 'content-type': 'application/json' };
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const query = (padding: number) =>
  JSON.stringify({ query: '{ viewer { kind } }', variables: { x: 'x'.repeat(padding) } });

/** Sends more of a body than strangers may send, and never ends it. */
async function sendEndless(headers: Record<string, string>): Promise<RawConnection> {
  const connection = await RawConnection.open(app.url);
  connection.post({ ...json, 'transfer-encoding': 'chunked', ...headers });
  connection.send(chunk('x'.repeat(serverLimits.anonymousBytes + 1)));
  return connection;
}

describe('a body that never ends is refused after its first 16 kB', () => {
  test('without a credential', async () => {
    using connection = await sendEndless({});
    expect(await connection.until(/"reason":"MISSING"/)).toBe(401);
    expect(connection.received).toContain('UNAUTHENTICATED');
    await connection.closed;
  });

  test('with a credential that is refused', async () => {
    using connection = await sendEndless({ authorization: 'Bearer wrong' });
    expect(await connection.until(/"reason":"UNKNOWN"/)).toBe(401);
    await connection.closed;
  });

  test('as a multipart body', async () => {
    using connection = await sendEndless({
      authorization: 'Bearer wrong',
      'content-type': 'multipart/form-data; boundary=b',
    });
    expect(await connection.until(/"reason":"UNKNOWN"/)).toBe(401);
  });
});

test('a body that announces more than strangers may send is refused before it comes', async () => {
  using connection = await RawConnection.open(app.url);
  connection.post({ ...json, 'content-length': 7_900_000 });
  expect(await connection.until(/"reason":"MISSING"/)).toBe(401);
});

test('a client that sends its whole body before it reads still receives the refusal', async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(`${app.url}/graphql`, { method: 'POST', headers: json }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end('x'.repeat(1_000_000));
  });
  expect(status).toBe(401);
});

test('a short body without a credential can ask for the schema, and leaves the connection open', async () => {
  using connection = await RawConnection.open(app.url);
  const body = JSON.stringify({ query: '{ __typename }' });
  connection.post({ ...json, 'content-length': body.length });
  connection.send(body);
  expect(await connection.until(/"__typename":"Query"/)).toBe(200);
  connection.received = '';
  const refused = query(10);
  connection.post({ ...json, 'content-length': refused.length });
  connection.send(refused);
  expect(await connection.until(/"reason":"MISSING"/)).toBe(401);
  connection.received = '';
  connection.post({ ...json, 'content-length': body.length });
  connection.send(body);
  expect(await connection.until(/"__typename":"Query"/)).toBe(200);
});

test('a compressed body is refused with 415', async () => {
  const headers = { ...app.client.headers, 'content-encoding': 'gzip' };
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: 'x' });
  expect(response.status).toBe(415);
});

test('a body in pieces of one byte is read', async () => {
  using connection = await RawConnection.open(app.url);
  connection.post({ ...app.client.headers, 'transfer-encoding': 'chunked' });
  connection.send([...query(20_000)].map(chunk).join('') + chunk(''));
  expect(await connection.until(/"kind":"API_KEY"/)).toBe(200);
});

test('JSON that is nested 100,000 deep, or has a name twice, is no internal error', async () => {
  const deep = `{"query":"{ viewer { kind } }","variables":{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
  const twice = '{"query":"{ nothing }","query":"{ viewer { kind } }"}';
  for (const body of [deep, twice]) {
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers: app.client.headers, body });
    expect(await response.text()).not.toContain('INTERNAL_SERVER_ERROR');
    expect(response.status).toBeLessThan(500);
  }
});

describe('large bodies share the memory of requests', () => {
  /** Sends 200 kB of a body of an accepted client, without its end. */
  const hold = async (headers: Record<string, string> = {}, head = '') => {
    const connection = await RawConnection.open(app.url);
    connection.post({ ...app.client.headers, ...headers, 'content-length': 250_000 });
    connection.send(head + 'x'.repeat(200_000));
    return connection;
  };
  const multipart = { 'content-type': 'multipart/form-data; boundary=b' };
  const field = '--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n';

  test.each([
    ['a body', {}, ''],
    ['the operation of an upload', multipart, field],
  ])('%s that exceeds it is refused with 503, and accepted when there is room', async (_name, headers, head) => {
    const first = await hold(headers, head);
    const second = await hold(headers, head);
    // One of the two is refused: the other holds the memory.
    await Promise.race([first.until(/UNAVAILABLE/), second.until(/UNAVAILABLE/)]);
    const [refused, holding] = first.received ? [first, second] : [second, first];
    expect(refused.received).toContain('HTTP/1.1 503');
    expect(refused.received).toMatch(/retry-after: 5/i);
    expect((await app.client.data('{ viewer { kind } }')).viewer.kind).toBe('API_KEY');
    holding.socket.destroy();
    await expect
      .poll(
        async () =>
          (await fetch(`${app.url}/graphql`, { method: 'POST', headers: app.client.headers, body: query(200_000) }))
            .status,
      )
      .toBe(200);
    refused.socket.destroy();
  });
});
