import type { EventEmitter } from 'node:events';
import ipaddr from 'ipaddr.js';

/**
 * The address that clients are counted by: of IPv6 the first 64 bits, because a client usually has all addresses below
 * them.
 */
export function countedAddress(remote: string): string {
  if (!ipaddr.isValid(remote)) return remote;
  const address = ipaddr.process(remote);
  return address instanceof ipaddr.IPv6 ? address.parts.slice(0, 4).join(':') : address.toString();
}

/** Counts what each address has open. */
export class AddressCounts {
  readonly #max: number;
  readonly #open = new Map<string, number>();

  /** `max`: the most that an address may have open; 0: no limit. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts one more for an address until `end` closes. Returns false, and counts nothing, if the address has the most. */
  add(remote: string, end: EventEmitter): boolean {
    if (this.#max === 0) return true;
    const address = countedAddress(remote);
    const count = this.#open.get(address) ?? 0;
    if (count >= this.#max) return false;
    this.#open.set(address, count + 1);
    end.once('close', () => {
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    });
    return true;
  }
}
