/**
 * Merges two lists of scored items; each list contributes half of a score. The scores of `absolute` run from 0 to 1 and
 * are used unchanged. Those of `relative` are only comparable within the list and are scaled: the best to 1, the last to
 * 0 (relative score fusion, https://doi.org/10.1145/3596512). Items with equal `keyOf` are the same item. Returns the
 * best first.
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
