import { once } from 'node:events';
import { type RequestOptions, request } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { Client, joined } from '../support/client.ts';
import { ModelServer } from '../support/model-server.ts';
import { upload } from '../support/upload.ts';
import { type ProxyName, WebProxy, webProxies } from '../support/web-proxy.ts';

const installed = Object.entries(webProxies) as Array<[ProxyName, boolean]>;
const perAddress = 4;

describe.each(installed)('the configuration of %s in docs/proxies.md', (name, isInstalled) => {
  const knownAuthorities = getCACertificates('default');
  const model = new ModelServer();
  let app: TestApp;
  let proxy: WebProxy;
  let client: Client;

  beforeAll(async () => {
    if (!isInstalled) return;
    await model.listen();
    const environment = {
      TRUST_PROXY: '127.0.0.1',
      OPENAI_BASE_URL: model.baseURL,
      CORS_ORIGINS: 'null',
      MAX_CONNECTIONS_PER_ADDRESS: String(perAddress),
    };
    app = await startTestApp(environment);
    proxy = await WebProxy.start(name, app.url);
    setDefaultCACertificates([...knownAuthorities, proxy.ca]);
    client = new Client(proxy.url, app.client.key);
  });
  afterAll(async () => {
    if (!isInstalled) return;
    setDefaultCACertificates(knownAuthorities);
    await proxy[Symbol.asyncDispose]();
    await app.stop();
    await model[Symbol.asyncDispose]();
  });

  /** Sends a POST over HTTP/1.1 on its own connection; resolves when the response begins. null: the body does not come. */
  async function post(headers: Record<string, string>, body: string | null, local: RequestOptions = {}) {
    const { hostname, port } = new URL(proxy.url);
    const to = { hostname, port, path: '/graphql', method: 'POST', family: 4, agent: false };
    const sent = request({ ...to, ...local, headers });
    sent.on('error', () => {}).flushHeaders();
    if (body !== null) sent.end(body);
    const [response] = await once(sent, 'response');
    return { status: response.statusCode as number, close: () => sent.destroy() };
  }

  /** Lets the model answer with two words, the second after `finish`. */
  function slowAnswer(): { finish: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      await respond.text('first ');
      await promise;
      await respond.text('second');
      await respond.end();
    });
    return { finish: resolve };
  }

  test.skipIf(!isInstalled)('passes on a query, also one in a long URL', async () => {
    expect(await client.data('{ viewer { kind } }')).toEqual({ viewer: { kind: 'API_KEY' } });
    const query = `{ viewer { kind } } #${'x'.repeat(12_000)}`;
    const response = await fetch(`${proxy.url}/graphql?${new URLSearchParams({ query })}`, { headers: client.headers });
    expect(await response.json()).toMatchObject({ data: { viewer: { kind: 'API_KEY' } } });
  });

  test.skipIf(!isInstalled)('gives a large file a link at the proxy, where clients can read it', async () => {
    const content = new Uint8Array(20_000_000).fill(7);
    const { url } = await upload(client, content, 'large.bin');
    expect(url).toMatch(new RegExp(`^${proxy.url}/files/file_`));
    const response = await fetch(url);
    expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
    const part = await fetch(url, { headers: { range: 'bytes=5-9' } });
    expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 5]);
  });

  test.skipIf(!isInstalled)('lets the server refuse an upload before it has arrived', async () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=x', 'content-length': '30000000' };
    const { status, close } = await post({ ...headers, authorization: 'Bearer x' }, null);
    expect(status).toBe(401);
    close();
  });

  test.skipIf(!isInstalled).each(['follow', 'followBySse'] as const)(
    'passes on the events of a run as they happen: %s',
    async (follow) => {
      const { finish } = slowAnswer();
      const run = await client.ask('Hello', { model: 'openai/any' });
      const events: any[] = [];
      for await (const event of client[follow](run.id)) {
        events.push(event);
        // The model goes on only when its first word has passed the proxy.
        if (event.text?.includes('first')) finish();
      }
      expect(joined(events)).toBe('first second');
    },
  );

  test.skipIf(!isInstalled)('passes on the parts of an incremental response as they come', async () => {
    const { finish } = slowAnswer();
    const run = await client.ask('Hello', { model: 'openai/any' });
    const query = `query($id: ID!) { viewer { kind } ... @defer { waitForRun(id: $id) { __typename } } }`;
    const response = await fetch(`${proxy.url}/graphql`, {
      method: 'POST',
      headers: { ...client.headers, accept: 'multipart/mixed' },
      body: JSON.stringify({ query, variables: { id: run.id } }),
    });
    let text = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk);
      if (text.includes('API_KEY')) finish();
    }
    expect(text).toContain('"waitForRun":{"__typename":"Run"}');
  });

  test.skipIf(!isInstalled)('lets pages of the proxy open a WebSocket, and no others', async () => {
    const open = async (origin: string) => {
      const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { origin });
      return statusOf(socket);
    };
    expect(await open(proxy.url)).toBe(101);
    expect(await open('https://evil.example')).toBe(403);
    expect(await open(app.url)).toBe(403);
  });

  test.skipIf(!isInstalled)('replaces the forwarded headers of a client, whose address the server counts', async () => {
    const thread = await client.createThread();
    const query = 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }';
    const body = JSON.stringify({ query, variables: { id: thread.id } });
    // The proxy has 127.0.0.1, the client another address.
    const stream = (claim: string) => {
      const forged = { 'x-forwarded-for': claim, 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' };
      return post({ ...client.headers, ...forged, accept: 'text/event-stream' }, body, { localAddress: '127.0.0.2' });
    };
    const streams = [];
    for (let index = 0; index < perAddress; index += 1) streams.push(await stream(`203.0.113.${index}`));
    expect(streams.map(({ status }) => status)).toEqual(streams.map(() => 200));
    const refused = await stream('203.0.113.99, 127.0.0.1');
    expect(refused.status).toBe(429);
    expect((await client.send('{ viewer { kind } }')).status).toBe(200);
    // A stream ends at the server when its client is gone.
    for (const { close } of streams) close();
    await expect
      .poll(async () => {
        const next = await stream('203.0.113.1');
        next.close();
        return next.status;
      })
      .toBe(200);
  });

  test.skipIf(!isInstalled)('keeps forged hosts and ports out of links', async () => {
    const { id } = await upload(client, 'text', 'a.txt');
    const forged = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', 'x-forwarded-port': '8080' };
    const response = await fetch(`${proxy.url}/graphql`, {
      method: 'POST',
      headers: { ...client.headers, ...forged },
      body: JSON.stringify({ query: 'query($id: ID!) { file(id: $id) { url } }', variables: { id } }),
    });
    expect(new URL((await response.json()).data.file.url).origin).toBe(proxy.url);
  });
});

/** The status of the response to an upgrade. */
async function statusOf(socket: WebSocket): Promise<number> {
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number);
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  socket.terminate();
  return status;
}
