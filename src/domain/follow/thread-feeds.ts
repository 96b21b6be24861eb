import type { Bus } from '../../bus/bus.ts';
import type { Database } from '../../db/client.ts';
import { CatchUpBudget } from './catch-up-budget.ts';
import { ThreadFeed } from './thread-feed.ts';

/** The feeds of the threads that are followed in this process. */
export class ThreadFeeds {
  readonly #database: Database;
  readonly #bus: Bus;
  /** What those followers share that are behind. */
  readonly catchUp = new CatchUpBudget();
  readonly #feeds = new Map<string, { feed: ThreadFeed; followers: number }>();

  constructor(database: Database, bus: Bus) {
    this.#database = database;
    this.#bus = bus;
  }

  /** How many threads are followed here. */
  get count(): number {
    return this.#feeds.size;
  }

  /** The feed of a thread, for one more follower; `release` when it goes. The caller has seen to who may follow. */
  acquire(workspaceId: string, threadId: string): ThreadFeed {
    const entry = this.#feeds.get(threadId) ?? {
      feed: new ThreadFeed(this.#database, this.#bus, workspaceId, threadId),
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
