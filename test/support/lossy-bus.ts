import type { Bus, BusListener, BusMessage } from '../../src/bus/bus.ts';

/** A bus that loses, repeats, delays and reorders messages, as its contract allows. */
export class LossyBus implements Bus {
  readonly #inner: Bus;
  readonly #random: () => number;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** The number of lost messages. */
  lost = 0;

  /** `random`: returns numbers in [0, 1). */
  constructor(inner: Bus, random: () => number) {
    this.#inner = inner;
    this.#random = random;
  }

  publish(topic: string, message: BusMessage): void {
    this.#inner.publish(topic, message);
  }

  subscribe(topic: string, listener: BusListener): () => void {
    let isOver = false;
    const unsubscribe = this.#inner.subscribe(topic, (message) => {
      for (const delayMs of this.#fate()) {
        if (delayMs === 0) listener(message);
        else this.#later(delayMs, () => isOver || listener(message));
      }
    });
    return () => {
      isOver = true;
      unsubscribe();
    };
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#inner.close();
  }

  /** The delays of the deliveries of one message; empty if it is lost. */
  #fate(): number[] {
    const chance = this.#random();
    const late = () => 1 + Math.floor(this.#random() * 80);
    if (chance < 0.3) {
      this.lost += 1;
      return [];
    }
    if (chance < 0.45) return [0, late()];
    return chance < 0.7 ? [late()] : [0];
  }

  #later(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}
