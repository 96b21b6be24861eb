/** Who holds slots: an end user of a workspace, or the workspace itself. */
export interface Party {
  workspaceId: string;
  /** The end user; '': the workspace itself, which has no share within itself. */
  owner: string;
}

/** A party with the number of slots that it holds. */
export interface Holder extends Party {
  slots: number;
}

/** A party holds at most this many times as many slots as it leaves free for others. */
export const shareFactor = 4;
/** With so few slots none can be left free for other workspaces: then only the users of a workspace share fairly. */
export const fewSlots = 2;

/**
 * How many of `free` slots a party may take that holds `held` already: after that it holds at most `shareFactor` times as
 * many as are left. One that holds none may take one.
 */
function shareOf(free: number, held: number): number {
  const share = Math.floor((shareFactor * free - held) / (shareFactor + 1));
  return Math.max(share, held === 0 ? Math.min(free, 1) : 0);
}

/**
 * A number of slots that are shared fairly although nobody who holds one is interrupted: a workspace leaves some of the
 * slots free for other workspaces, and an end user some of the workspace's for its other users.
 */
export class FairSlots {
  readonly total: number;
  readonly #holders = new Map<string, Holder>();
  readonly #workspaces = new Map<string, number>();
  #held = 0;

  /** `total`: the number of slots, at least 1. */
  constructor(total: number) {
    this.total = total;
  }

  /** The number of slots that nobody holds. */
  get free(): number {
    return this.total - this.#held;
  }

  /** The parties that hold slots. */
  get holders(): Holder[] {
    return [...this.#holders.values()];
  }

  /** The number of slots that a workspace holds, with all its users. */
  heldIn(workspaceId: string): number {
    return this.#workspaces.get(workspaceId) ?? 0;
  }

  /** The number of slots that a party holds. */
  heldBy(party: Party): number {
    return this.#holders.get(keyOf(party))?.slots ?? 0;
  }

  /** Whether a party may take a slot now. */
  admits(party: Party): boolean {
    const { workspaceId, owner } = party;
    const share = this.total <= fewSlots ? this.free : shareOf(this.free, this.heldIn(workspaceId));
    return (owner === '' ? share : shareOf(share, this.heldBy(party))) > 0;
  }

  /** Takes a slot for a party, whether or not its share allows it. Returns the function that gives it back, once. */
  take(party: Party): () => void {
    this.#add(party, 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#add(party, -1);
      isHeld = false;
    };
  }

  #add({ workspaceId, owner }: Party, change: 1 | -1): void {
    this.#held += change;
    const key = keyOf({ workspaceId, owner });
    const slots = (this.#holders.get(key)?.slots ?? 0) + change;
    if (slots > 0) this.#holders.set(key, { workspaceId, owner, slots });
    else this.#holders.delete(key);
    const inWorkspace = this.heldIn(workspaceId) + change;
    if (inWorkspace > 0) this.#workspaces.set(workspaceId, inWorkspace);
    else this.#workspaces.delete(workspaceId);
  }
}

/** Workspace IDs contain no spaces. */
const keyOf = ({ workspaceId, owner }: Party) => `${workspaceId} ${owner}`;
