import type { Bus, BusListener, BusMessage } from './bus.ts';

/** The bus of a server with one process. Messages arrive synchronously and in order. */
export class MemoryBus implements Bus {
  readonly #listeners = new Map<string, Set<BusListener>>();

  publish(topic: string, message: BusMessage): void {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener(message);
  }

  /** Sends to the listeners of all topics. */
  publishToAll(message: BusMessage): void {
    for (const topic of [...this.#listeners.keys()]) this.publish(topic, message);
  }

  subscribe(topic: string, listener: BusListener): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}
