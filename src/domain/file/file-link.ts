import { timingSafeEqual } from 'node:crypto';
import type { Vault } from '../../secret/vault.ts';

/** Makes addresses under which a file can be fetched for a while by whoever has the address, and checks them. */
export class FileLinks {
  readonly #vault: Vault;
  readonly #validMs: number;
  #base: string;

  /** `base`: where clients reach the server, without a path; `validMs`: how long an address is good at least. */
  constructor(vault: Vault, base: string, validMs: number) {
    this.#vault = vault;
    this.#base = base;
    this.#validMs = validMs;
  }

  /** Where clients reach the server, where that is known only after it listens. */
  reachedAt(base: string): void {
    this.#base ||= base;
  }

  /**
   * The address of a file. It stays the same for a while, so that what has been fetched under it can be kept: it is good
   * for `validMs` up to twice that.
   */
  linkTo(fileId: string): string {
    const expires = (Math.floor(Date.now() / this.#validMs) + 2) * Math.floor(this.#validMs / 1000);
    return `${this.#base}/files/${fileId}?expires=${expires}&signature=${this.#sign(fileId, expires)}`;
  }

  /** Whether the signature is ours, for this file, and not past its time. `expires`: in seconds since 1970. */
  isGood(fileId: string, expires: number, signature: string): boolean {
    if (!Number.isSafeInteger(expires) || expires * 1000 <= Date.now()) return false;
    const good = Buffer.from(this.#sign(fileId, expires));
    const given = Buffer.from(signature);
    return good.length === given.length && timingSafeEqual(good, given);
  }

  #sign(fileId: string, expires: number): string {
    return this.#vault.hash('file link', `${fileId} ${expires}`);
  }
}
