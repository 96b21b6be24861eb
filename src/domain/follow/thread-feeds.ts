import { CatchUpBudget } from './catch-up-budget.ts';
import { type FeedSource, ThreadFeed } from './thread-feed.ts';

/** The feeds of the threads that are followed in this process. */
export class ThreadFeeds {
  readonly #source: FeedSource;
  /** What those followers share that are behind. */
  readonly catchUp = new CatchUpBudget();
  readonly #feeds = new Map<string, { feed: ThreadFeed; followers: number }>();

  constructor(source: FeedSource) {
    this.#source = source;
  }

  /** How many threads are followed here. */
  get count(): number {
    return this.#feeds.size;
  }

  /** The feed of a thread, for one more follower; `release` when it goes. The caller has seen to who may follow. */
  acquire(workspaceId: string, threadId: string): ThreadFeed {
    const entry = this.#feeds.get(threadId) ?? {
      feed: new ThreadFeed(this.#source, { workspaceId, threadId }),
      followers: 0,
    };
    entry.followers += 1;
    this.#feeds.set(threadId, entry);
    return entry.feed;
  }

  /** The last follower to go closes the feed. */
  release(feed: ThreadFeed): void {
    const entry = this.#feeds.get(feed.threadId);
    if (entry?.feed !== feed) return;
    entry.followers -= 1;
    if (entry.followers > 0) return;
    this.#feeds.delete(feed.threadId);
    feed.close();
  }
}
