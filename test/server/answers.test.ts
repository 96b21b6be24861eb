import { expect, test, vi } from 'vitest';
import { Answer } from '../../src/server/yoga/answer.ts';
import { Answers } from '../../src/server/yoga/answers.ts';

const open = () => new Answers({ cost: 1000, bytes: 100, memoryBytes: 400 });
const user = (name: string) => ({ name, share: 0.5 });

test('answers share their memory, and one client has only a part of it', () => {
  const answers = open();
  expect(answers.reserve(user('a'), 200)).toBe(true);
  expect(answers.reserve(user('a'), 1)).toBe(false);
  expect(answers.reserve(user('b'), 200)).toBe(true);
  expect(answers.reserve(user('c'), 1)).toBe(false);
  answers.release(user('a'), 200);
  expect(answers.reserve(user('c'), 200)).toBe(true);
  answers.release(user('b'), 200);
  answers.release(user('c'), 200);
  expect(answers.reserved).toBe(0);
});

test('the part of a client has room for one answer of the maximum size', () => {
  const answers = new Answers({ cost: 1000, bytes: 100, memoryBytes: 50 });
  expect(answers.reserve({ name: 'a', share: 0.1 }, 100)).toBe(true);
});

test('an event waits until there is room, or its subscriber has left', async () => {
  const answers = open();
  const left = new AbortController();
  answers.reserve(user('a'), 150);
  const first = answers.wait(user('a'), 100, new AbortController().signal);
  const second = answers.wait(user('a'), 100, left.signal);
  left.abort();
  expect(await second).toBe(false);
  answers.release(user('a'), 50);
  expect(await first).toBe(true);
  expect(answers.reserved).toBe(200);
});

test('an answer holds its memory until it has been sent and is no longer being made', async () => {
  const answers = new Answers({ cost: 1000, bytes: 1_000_000, memoryBytes: 1_000_000 });
  const answer = new Answer(answers);
  await answer.begin({}, false, { signal: new AbortController().signal, weigh: () => 0 } as never);
  answer.count(10_000);
  expect(answers.reserved).toBe(0);
  answer.count(100_000);
  expect(answers.reserved).toBeGreaterThanOrEqual(110_000);
  answer.release();
  expect(answers.reserved).toBeGreaterThan(0);
  answer.end();
  expect(answers.reserved).toBe(0);
});

test('an answer without room is refused, and further texts of it are not counted', async () => {
  const answers = new Answers({ cost: 1000, bytes: 1_000_000, memoryBytes: 1_000_000 });
  const first = new Answer(answers);
  first.count(900_000);
  const second = new Answer(answers);
  expect(() => second.count(200_000)).toThrow('Responses that have not been read');
  expect(() => second.count(1)).toThrow('Responses that have not been read');
  const result = await second.fit({ data: {} });
  expect(result).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] });
});

test('an answer of many small rows counts for the pace of its client with what it costs, not with its bytes', async () => {
  vi.useFakeTimers();
  try {
    const answers = new Answers({ cost: 100_000, bytes: 1_000_000, memoryBytes: 10_000_000 });
    const user = { actor: { kind: 'USER', userId: 'a' }, workspaceId: 'ws' } as never;
    const credential = { signal: new AbortController().signal, weigh: () => 0, access: neverRevoked } as never;
    const first = new Answer(answers);
    await first.begin(user, false, credential);
    first.charge(50_000);
    first.end();
    const next = new Answer(answers);
    let hasBegun = false;
    const begun = next.begin(user, false, credential).then(() => {
      hasBegun = true;
    });
    await vi.advanceTimersByTimeAsync(3000);
    expect(hasBegun).toBe(false);
    await vi.advanceTimersByTimeAsync(3000);
    expect(hasBegun).toBe(true);
    await begun;
  } finally {
    vi.useRealTimers();
  }
});

const neverRevoked = { watch: () => ({ revoked: new AbortController().signal, release: () => {} }) };
