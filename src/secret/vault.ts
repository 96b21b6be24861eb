import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * What the server keeps from whoever reads its database: secrets are hashed with a key, or sealed, that only the
 * server's environment (SECRET_KEY) has. Every purpose has a key of its own, derived by HKDF.
 */
export class Vault {
  readonly #secret: string;
  readonly #keys = new Map<string, Buffer>();

  constructor(secret: string) {
    this.#secret = secret;
  }

  #keyFor(purpose: string): Buffer {
    const key =
      this.#keys.get(purpose) ?? Buffer.from(hkdfSync('sha256', this.#secret, 'assistant-graph', purpose, 32));
    this.#keys.set(purpose, key);
    return key;
  }

  /** The keyed hash of a text, in hexadecimal: the same for the same text and purpose. */
  hash(purpose: string, text: string): string {
    return createHmac('sha256', this.#keyFor(`hash ${purpose}`))
      .update(text)
      .digest('hex');
  }

  /** The text, readable only by `open` with the same purpose. */
  seal(purpose: string, text: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#keyFor(`seal ${purpose}`), nonce);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** What was sealed. Throws when it was sealed with another secret or purpose, or has been changed. */
  open(purpose: string, sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64url');
    const decipher = createDecipheriv(algorithm, this.#keyFor(`seal ${purpose}`), bytes.subarray(0, nonceBytes));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
  }
}
