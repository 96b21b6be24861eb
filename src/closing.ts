import type { Logger } from './log.ts';

/** The steps of a shutdown. They run in the reverse order of their addition. */
export class Closing {
  readonly #steps: Array<() => Promise<void>> = [];

  add(step: () => Promise<void>): void {
    this.#steps.unshift(step);
  }

  /** Runs the steps one after the other. A step that fails is logged and does not stop the others. */
  async run(log: Logger): Promise<void> {
    for (const step of this.#steps.splice(0)) {
      await step().catch((error) => log.error({ err: error }, 'shutdown step failed'));
    }
  }
}
