/** How much the first places count more than those behind them: the value of the paper, which others keep. */
const k = 60;

/**
 * Makes one list of several in which the same things are ranked: what stands far in front in several of them comes first, whatever
 * their scores are (reciprocal rank fusion, https://doi.org/10.1145/1571941.1572114). The score is 1 for what is the first of all
 * lists, and less than that for all else. `keyOf` says which are the same.
 */
export function fuse<T extends { score: number }>(lists: ReadonlyArray<readonly T[]>, keyOf: (item: T) => string): T[] {
  const fused = new Map<string, T>();
  for (const list of lists) {
    for (const [rank, item] of list.entries()) {
      const share = (k + 1) / (k + 1 + rank) / lists.length;
      const key = keyOf(item);
      fused.set(key, { ...item, score: (fused.get(key)?.score ?? 0) + share });
    }
  }
  return [...fused.values()].sort((a, b) => b.score - a.score);
}
