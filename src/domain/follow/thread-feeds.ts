import { CatchUpBudget } from './catch-up-budget.ts';
import { type FeedSource, ThreadFeed } from './thread-feed.ts';

/** The feeds of the threads that are followed in this process. */
export class ThreadFeeds {
  readonly #source: FeedSource;
  /** The budget that all followers of this process share. */
  readonly catchUp = new CatchUpBudget();
  readonly #feeds = new Map<string, { feed: ThreadFeed; followers: number }>();

  constructor(source: FeedSource) {
    this.#source = source;
  }

  /** The number of followed threads. */
  get count(): number {
    return this.#feeds.size;
  }

  /**
   * The feed of a thread, for one more follower; pair it with `release`. The caller has checked that the actor sees the
   * thread.
   */
  acquire(workspaceId: string, threadId: string): ThreadFeed {
    const entry = this.#feeds.get(threadId) ?? {
      feed: new ThreadFeed(this.#source, { workspaceId, threadId }),
      followers: 0,
    };
    entry.followers += 1;
    this.#feeds.set(threadId, entry);
    return entry.feed;
  }

  /** Releases a feed. The release of the last follower closes it. */
  release(feed: ThreadFeed): void {
    const entry = this.#feeds.get(feed.threadId);
    if (entry?.feed !== feed) return;
    entry.followers -= 1;
    if (entry.followers > 0) return;
    this.#feeds.delete(feed.threadId);
    feed.close();
  }
}
