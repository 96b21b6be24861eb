/**
 * Lets a worker take over suspects one at a time. A suspect is a run that has lost a worker: it may be the one that took its
 * worker down, or one that was executed beside it. The next suspect is admitted when the last one has ended, or has been
 * executed for a while without harm. If the process ends again, the suspect in it is the likely cause, and the others wait.
 */
export class Quarantine {
  readonly #ms: number;
  readonly #onRoom: () => void;
  #suspect: string | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `ms`: how long a suspect keeps the next one waiting. `onRoom`: called when the next one can enter. */
  constructor(ms: number, onRoom: () => void) {
    this.#ms = ms;
    this.#onRoom = onRoom;
  }

  /** Whether a suspect can enter. */
  get hasRoom(): boolean {
    return this.#suspect === null;
  }

  /** Admits a suspect; false: there is no room. */
  enter(runId: string): boolean {
    if (!this.hasRoom) return false;
    this.#suspect = runId;
    this.#timer = setTimeout(() => this.leave(runId), this.#ms).unref();
    return true;
  }

  /** The suspect has been executed. Nothing happens for a run that is not inside. */
  leave(runId: string): void {
    if (this.withdraw(runId)) this.#onRoom();
  }

  /** The suspect was admitted, but is not executed. Returns whether it was inside. */
  withdraw(runId: string): boolean {
    if (this.#suspect !== runId) return false;
    this.close();
    this.#suspect = null;
    return true;
  }

  /** Calls `onRoom` no more on its own. */
  close(): void {
    clearTimeout(this.#timer);
  }
}
