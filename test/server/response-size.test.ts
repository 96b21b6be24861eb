import { beforeAll, expect, test } from 'vitest';
import { answerBy, transports } from '../support/transports.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model, environment: { MAX_RESPONSE_BYTES: '1000000' } });

/** 480,000 characters and 800,000 bytes of text in a thread. */
const text = '文x"'.repeat(40_000);
let id: string;
beforeAll(async () => {
  id = (await app.client.createThread({ messages: Array(4).fill({ text }) })).id;
});

const aliases = (count: number) => Array.from({ length: count }, (_, index) => `a${index}: text`).join(' ');
const read = (count: number) =>
  `query($id: ID!) { thread(id: $id) { messages(orderBy: { direction: ASC }) { nodes { ${aliases(count)} } } } }`;

test.each(transports)('an answer within the limit is complete: %s', async (transport) => {
  const { data } = await answerBy(transport, app.client, read(1), { id });
  expect(data).toEqual({ thread: { messages: { nodes: Array(4).fill({ a0: text }) } } });
});

test.each(transports)('an answer above the limit is refused: %s', async (transport) => {
  for (const count of [2, 40]) {
    const answer = await answerBy(transport, app.client, read(count), { id });
    expect(answer.data ?? null).toBeNull();
    expect(answer.errors).toEqual([
      {
        message: expect.stringMatching(/larger than the limit of 1000000 bytes. Read fewer nodes on a page/),
        extensions: { code: 'RESPONSE_TOO_LARGE' },
      },
    ]);
  }
});

test('what makes an answer large does not matter', async () => {
  const quotes = (await app.client.createThread({ messages: Array(3).fill({ text: '"'.repeat(200_000) }) })).id;
  const long = 'a'.repeat(150_000);
  const large: Array<[string, string]> = [
    // Each page is read on its own.
    [id, `query($id: ID!) { thread(id: $id) { ${pages(8)} } }`],
    // 600,000 characters, but each has an escape.
    [quotes, read(1)],
    // The name of an alias is repeated for each node.
    [id, `query($id: ID!) { nodes(ids: [${Array(20).fill('$id').join(' ')}]) { ${long}: id } }`],
  ];
  for (const [thread, query] of large) {
    const { errors } = await app.client.send(query, { id: thread });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['RESPONSE_TOO_LARGE']);
  }
});

const pages = (count: number) =>
  Array.from({ length: count }, (_, index) => `a${index}: messages(first: ${index + 3}) { nodes { text } }`).join(' ');

test('a mutation whose answer is too large says that it was carried out', async () => {
  const { errors } = await app.client.send(
    `mutation($id: ID!) { updateThread(input: { id: $id, title: "done" }) {
      ... on UpdateThreadPayload { thread { messages { nodes { ${aliases(10)} } } } } } }`,
    { id },
  );
  expect(errors).toEqual([
    {
      message: expect.stringContaining('The mutation was carried out.'),
      extensions: { code: 'RESPONSE_TOO_LARGE' },
    },
  ]);
  expect(await app.client.data('query($id: ID!) { thread(id: $id) { title } }', { id })).toEqual({
    thread: { title: 'done' },
  });
});

test('an event that is too large is replaced by an error, and further events follow', async () => {
  model.answers(async (respond) => {
    await respond.text('x'.repeat(150_000));
    await respond.end();
  });
  const run = await app.client.ask('Go');
  await app.client.finished(run.id);
  const socket = app.client.socket();
  const query = `subscription($id: ID!) { runEvents(runId: $id) { __typename ... on MessageEnded { message { ${aliases(20)} } } } }`;
  const received: string[] = [];
  for await (const { data, errors } of socket.iterate<any>({ query, variables: { id: run.id } }))
    received.push(data?.runEvents.__typename ?? errors?.[0]?.extensions?.code);
  await socket.dispose();
  expect(received.filter((name) => name === 'RESPONSE_TOO_LARGE')).toHaveLength(1);
  expect(received.indexOf('RESPONSE_TOO_LARGE')).toBeLessThan(received.length - 1);
});

test('the parts of an incremental answer are limited together', async () => {
  const query = `query($id: ID!) { thread(id: $id) { messages(first: 3, orderBy: { direction: ASC }) { nodes @stream(initialCount: 1) { ${aliases(3)} } } } }`;
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...app.client.headers, accept: 'multipart/mixed' },
    body: JSON.stringify({ query, variables: { id } }),
  });
  const body = await response.text();
  expect(body).toContain('RESPONSE_TOO_LARGE');
  expect(body).toContain('"hasNext":false');
  expect(body.length).toBeLessThan(1_000_000);
});

test('a response has a limited number of errors, and the last one counts the others', async () => {
  const { client } = await app.client.createKey({ scopes: ['ASSISTANTS_READ'] });
  const fields = Array.from({ length: 100 }, (_, index) => `a${index}: thread(id: "x") { id }`).join(' ');
  const { errors } = await client.send(`{ ${fields} thread(id: "x") { id } message(id: "x") { id } }`);
  expect(errors).toHaveLength(100);
  expect(errors?.at(-1)).toMatchObject({
    message: '3 more errors are left out.',
    extensions: { code: 'TOO_MANY_ERRORS' },
  });
});
