import { GraphQLError } from 'graphql';
import { expect, test } from 'vitest';
import { jsonBytes, jsonPieces, jsonTurns, roughLength } from '../../src/server/yoga/json-pieces.ts';

const values: Array<[string, unknown]> = [
  ['leaves', ['text', '"\\\n\u0001\ud800 文🙂', 0, -0, 1.5e300, Number.NaN, true, false, null]],
  ['nothing', [undefined, { a: undefined, b: () => 1, c: null }]],
  ['empty lists and objects', [[], {}, [[]], [{}], { a: [], b: {} }]],
  ['objects without a prototype', Object.assign(Object.create(null), { '"quoted"': 1, a: { b: [1, { c: 2 }] } })],
  ['errors', { errors: [new GraphQLError('no', { extensions: { code: 'X' } })], data: { at: new Date(0) } }],
  ['a long list', Array.from({ length: 20_000 }, (_, index) => ({ index, text: '文'.repeat(index % 20) }))],
  ['long texts', { a: 'x'.repeat(300_000), b: ['"'.repeat(100_000), { c: '文'.repeat(100_000) }] }],
];

test.each(values)('the pieces of %s are those of JSON.stringify', async (_name, value) => {
  const text = JSON.stringify(value);
  expect([...jsonPieces(value)].join('')).toBe(text);
  let turns = '';
  for await (const piece of jsonTurns(value)) turns += piece;
  expect(turns).toBe(text);
  expect(await jsonBytes(value, Number.POSITIVE_INFINITY)).toBe(Buffer.byteLength(text));
});

test('a large value has pieces of limited size', () => {
  const pieces = [...jsonPieces(values[5]?.[1])];
  expect(pieces.length).toBeGreaterThan(5);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000);
});

test('counting the bytes stops beyond the limit', async () => {
  const endless = Array.from({ length: 1000 }, () => 'x'.repeat(100_000));
  const bytes = await jsonBytes(endless, 1_000_000);
  expect(bytes).toBeGreaterThan(1_000_000);
  expect(bytes).toBeLessThan(1_300_000);
  expect(roughLength(endless, 1_000_000)).toBeLessThan(1_300_000);
});

test('the rough length is near the length of the JSON', () => {
  const page = { data: { nodes: Array.from({ length: 100 }, (_, id) => ({ id, text: 'some words', at: null })) } };
  const { length } = JSON.stringify(page);
  expect(Math.abs(roughLength(page, 100_000) - length)).toBeLessThan(length / 5);
});
