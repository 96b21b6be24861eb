import { beforeAll, describe, expect, test } from 'vitest';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { DEMO_DELAY_MS: '1' } });
const words = '很多 words 🙂 '.repeat(20).trim();
const query =
  'subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) { __typename ... on MessageDelta { text } ... on RunStatusChanged { status } } }';
let run: { id: string };

interface Sent {
  id: string | null;
  data: {
    data?: { runEvents: { __typename: string; text?: string } };
    errors?: Array<{ extensions: { code: string } }>;
  };
}

/** The events of a stream, up to and including the one that fits, or to its end. */
async function stream(
  method: 'GET' | 'POST',
  variables: object,
  headers: Record<string, string> = {},
  isLast: (sent: Sent) => boolean = () => false,
): Promise<Sent[]> {
  const stop = new AbortController();
  const url = new URL(`${app.url}/graphql`);
  const body = JSON.stringify({ query, variables });
  if (method === 'GET') {
    url.searchParams.set('query', query);
    url.searchParams.set('variables', JSON.stringify(variables));
  }
  const response = await fetch(url, {
    method,
    headers: { ...app.client.headers, accept: 'text/event-stream', ...headers },
    signal: stop.signal,
    ...(method === 'POST' ? { body } : {}),
  });
  const sent: Sent[] = [];
  let text = '';
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop() as string;
      for (const block of blocks) {
        const data = /^data: (.+)$/m.exec(block)?.[1];
        if (!data) continue;
        sent.push({ id: /^id: (.+)$/m.exec(block)?.[1] ?? null, data: JSON.parse(data) });
        if (isLast(sent.at(-1) as Sent)) return sent;
      }
    }
  } finally {
    stop.abort();
  }
  return sent;
}

const textOf = (sent: Sent[]) => sent.map(({ data }) => data.data?.runEvents.text ?? '').join('');

beforeAll(async () => {
  run = await app.client.ask(`say ${words}`);
});

describe.each(['GET', 'POST'] as const)('an event stream by %s', (method) => {
  test('has the cursor of each event as its id, with which a client resumes without loss or repetition', async () => {
    const first = await stream(method, { id: run.id }, {}, ({ data }) => data.data?.runEvents.text !== undefined);
    const lastEventId = first.at(-1)?.id as string;
    const rest = await stream(method, { id: run.id }, { 'last-event-id': lastEventId });
    const all = [...first, ...rest];
    expect(textOf(all)).toBe(words);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const cursors = (await Array.fromAsync(app.client.follow(run.id, lastEventId))).map(({ cursor }) => cursor);
    expect(rest.map(({ id }) => id).at(-1)).toBe(cursors.at(-1));
  });

  test('resumes after Last-Event-ID and not after its argument', async () => {
    const all = await stream(method, { id: run.id });
    const [start, end] = [all[0]?.id as string, all.at(-1)?.id as string];
    expect(await stream(method, { id: run.id, after: start }, { 'last-event-id': end })).toEqual([]);
    expect(await stream(method, { id: run.id, after: end }, { 'last-event-id': '' })).toEqual([]);
  });

  test.each(['💥', 'x'.repeat(5000), '0'])(
    'refuses a Last-Event-ID that is no cursor of the run: %.10s',
    async (id) => {
      const [refused] = await stream(method, { id: run.id }, { 'last-event-id': encodeURI(id) });
      expect(refused?.data.errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
    },
  );
});

test('the header resumes nothing but event streams', async () => {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...app.client.headers, 'last-event-id': 'x' },
    body: JSON.stringify({ query: '{ viewer { kind } }' }),
  });
  expect((await response.json()).data.viewer.kind).toBe('API_KEY');
});
