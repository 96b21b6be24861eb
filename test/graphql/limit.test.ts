import { expect, test } from 'vitest';
import { useApp } from '../support/use-app.ts';

const app = useApp();

const nested = (depth: number): string => (depth === 0 ? 'id' : `thread { lastMessage { ${nested(depth - 1)} } }`);

const tooMuch: Array<[string, string, RegExp]> = [
  ['depth', `{ threads { nodes { lastMessage { ${nested(9)} } } } }`, /deeper than the limit of 16 levels/],
  [
    'cost',
    '{ threads(first: 100) { nodes { messages(first: 100) { nodes { id run { steps(first: 20) { nodes { id } } } } } } } }',
    /costs \d+; the limit is 100000/,
  ],
  [
    'aliases',
    `{ ${Array.from({ length: 101 }, (_, index) => `a${index}: viewer { kind }`).join(' ')} }`,
    /more than 100 aliases/,
  ],
  ['tokens', `{ ${'viewer { kind } '.repeat(3000)} }`, /10000/],
];

test.each(tooMuch)(
  'an operation above the %s limit is refused with the limit in the message',
  async (_name, query, message) => {
    const { data, errors } = await app.client.send(query);
    expect(data ?? null).toBeNull();
    expect(errors?.[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    expect(errors?.[0]?.message).toMatch(message);
  },
);

test('the limits also apply on a socket', async () => {
  const [, query] = tooMuch[1] as [string, string, RegExp];
  const refused = await app.client
    .subscribe(query, {}, 'threads')
    .next()
    .catch((error) => error);
  expect(JSON.stringify(refused.errors ?? refused)).toContain('QUERY_TOO_COMPLEX');
});

test('a typical chat query is within the limits', async () => {
  const { data, errors } = await app.client.send(
    '{ threads(first: 20) { nodes { id title messages(first: 20) { nodes { id role text createdAt run { id status } } } runs(first: 3) { nodes { id steps { nodes { id type toolCalls { id } } } } } } } }',
  );
  expect(errors).toBeUndefined();
  expect(data.threads.nodes).toEqual([]);
});
