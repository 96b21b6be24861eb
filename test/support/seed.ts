import { randomInt } from 'node:crypto';
import { onTestFailed } from 'vitest';

/** The seed of a random test: TEST_SEED, or a new one. When the test fails, it prints the seed that repeats it. */
export function testSeed(): number {
  const seed = Number(process.env.TEST_SEED) || randomInt(1, 2 ** 31 - 1);
  onTestFailed(() => {
    process.stderr.write(`Repeat this failure with TEST_SEED=${seed}\n`);
  });
  return seed;
}

/** Random numbers in [0, 1), determined by the seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
