import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FairTurns } from '../../src/async/fair-turns.ts';

const hold = (ms: number) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

type Way = 'wait' | 'queue';

/** Holds the loop for 5 ms for each name, when its turn has come. Returns the names of each turn of the loop. */
async function work(turns: FairTurns, names: string[], way: Way): Promise<string[][]> {
  const done: string[][] = [[]];
  const ended = Promise.all(
    names.map(async (name) => {
      const turn = turns.of(name)[way]();
      if (turn) await turn;
      hold(5);
      done.at(-1)?.push(name);
    }),
  );
  let isDone = false;
  void ended.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await turn();
    done.push([]);
  }
  return done.filter((each) => each.length > 0);
}

test.each<Way>(['wait', 'queue'])(
  'with %s, work goes on while the turn has room, and in later turns beyond it',
  async (way) => {
    const done = await work(new FairTurns(12), Array(9).fill('alice'), way);
    expect(done.flat()).toHaveLength(9);
    // Three in the turn, and three at its end, which Node.js counts as the next one.
    expect(Math.max(...done.map(({ length }) => length))).toBeLessThanOrEqual(6);
  },
);

test.each<Way>(['wait', 'queue'])(
  'with %s, a party with much work waits for the others after each piece',
  async (way) => {
    const done = await work(new FairTurns(1), [...Array(20).fill('alice'), 'bob', 'carol', 'bob'], way);
    const order = done.flat();
    expect(order.indexOf('carol')).toBeLessThan(5);
    expect(order.lastIndexOf('bob')).toBeLessThan(7);
    expect(order).toHaveLength(23);
  },
);

test('nobody waits in a turn without work before', async () => {
  const turns = new FairTurns(10);
  await work(turns, Array(9).fill('alice'), 'queue');
  await turn();
  await turn();
  expect(turns.of('bob').wait()).toBeNull();
});
