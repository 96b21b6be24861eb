import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Protects secrets from readers of the database: they are hashed or sealed with keys that HKDF derives from SECRET_KEY, one
 * for each purpose.
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

  /** The keyed hash (HMAC-SHA-256) of a text, in hexadecimal. It is the same for the same text and purpose. */
  hash(purpose: string, text: string): string {
    return createHmac('sha256', this.#keyFor(`hash ${purpose}`))
      .update(text)
      .digest('hex');
  }

  /** Encrypts a text (AES-256-GCM). Only `open` with the same purpose decrypts it. */
  seal(purpose: string, text: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#keyFor(`seal ${purpose}`), nonce);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  /** Decrypts a sealed text. Throws where the secret or the purpose differs, or the sealed text was changed. */
  open(purpose: string, sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64url');
    const decipher = createDecipheriv(algorithm, this.#keyFor(`seal ${purpose}`), bytes.subarray(0, nonceBytes));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
  }
}
