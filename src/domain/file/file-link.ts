import { timingSafeEqual } from 'node:crypto';
import type { Vault } from '../../secret/vault.ts';

/** Signs and verifies temporary links to files. A link grants access without a credential. */
export class FileLinks {
  readonly #vault: Vault;
  readonly #validMs: number;
  readonly #isConfigured: boolean;
  #base: string;

  /** `base`: the URL of the server without a path; '' until `reachedAt`. `validMs`: the least time that a link is valid. */
  constructor(vault: Vault, base: string, validMs: number) {
    this.#vault = vault;
    this.#base = base;
    this.#isConfigured = base !== '';
    this.#validMs = validMs;
  }

  /** The URL of the server in the links. */
  get base(): string {
    return this.#base;
  }

  /** Sets the URL of the server if none is configured: its port is known only when it listens. */
  reachedAt(base: string): void {
    this.#base ||= base;
  }

  /** The same links for a client that reaches the server at `base`, unless a URL is configured; null: at the server's own. */
  at(base: string | null): FileLinks {
    return this.#isConfigured || base === null ? this : new FileLinks(this.#vault, base, this.#validMs);
  }

  /**
   * The link to a file. It is valid for between `validMs` and twice that, and stays the same for `validMs`, so that clients
   * can cache the file.
   */
  linkTo(fileId: string): string {
    const expires = (Math.floor(Date.now() / this.#validMs) + 2) * Math.floor(this.#validMs / 1000);
    return `${this.#base}/files/${fileId}?expires=${expires}&signature=${this.#sign(fileId, expires)}`;
  }

  /** Whether the signature is valid for the file and has not expired. `expires`: in seconds since 1970. */
  isValid(fileId: string, expires: number, signature: string): boolean {
    if (!Number.isSafeInteger(expires) || expires * 1000 <= Date.now()) return false;
    const expected = Buffer.from(this.#sign(fileId, expires));
    const given = Buffer.from(signature);
    return expected.length === given.length && timingSafeEqual(expected, given);
  }

  #sign(fileId: string, expires: number): string {
    return this.#vault.hash('file link', `${fileId} ${expires}`);
  }
}
