/**
 * Makes one list of two in which the same things are weighed, half and half: `absolute` has scores from 0 to 1 that say something by
 * themselves, `relative` such as only say which is nearer, whose best counts 1 and whose last counts 0 (relative score fusion: models
 * differ in which part of their scale they use, https://doi.org/10.1145/3596512). `keyOf` says which are the same. The best first.
 */
export function fuseScores<T extends { score: number }>(
  absolute: readonly T[],
  relative: readonly T[],
  keyOf: (item: T) => string,
): T[] {
  const scores = relative.map(({ score }) => score);
  const [best, last] = [Math.max(...scores), Math.min(...scores)];
  const normal = (score: number) => (best === last ? 1 : (score - last) / (best - last));
  const fused = new Map(absolute.map((item) => [keyOf(item), { ...item, score: item.score / 2 }]));
  for (const item of relative) {
    const key = keyOf(item);
    fused.set(key, { ...item, score: (fused.get(key)?.score ?? 0) + normal(item.score) / 2 });
  }
  return [...fused.values()].sort((a, b) => b.score - a.score);
}
