import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Vault } from './vault.ts';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 base-62 digits hold 256 bits, 6 digits hold 32 bits. */
const randomDigits = 43;
const checkDigits = 6;
const shape = new RegExp(`^ag_[0-9A-Za-z]{${randomDigits + checkDigits}}$`);

function base62(value: bigint, digits: number): string {
  let text = '';
  for (let rest = value; text.length < digits; rest /= 62n) text = alphabet[Number(rest % 62n)] + text;
  return text;
}

const checkOf = (body: string) => base62(BigInt(crc32(body)), checkDigits);

/**
 * Generates the secret of a key: `ag_`, 32 random bytes and a CRC-32 checksum. People and secret scanners can recognize it:
 * https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
 */
export function newSecret(): string {
  const body = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), randomDigits);
  return `ag_${body}${checkOf(body)}`;
}

/** Whether a text has the form of a generated secret but a wrong checksum. */
export function isMistyped(secret: string): boolean {
  return shape.test(secret) && checkOf(secret.slice(3, -checkDigits)) !== secret.slice(-checkDigits);
}

/** The start of a generated secret, to distinguish keys; empty for a secret that an operator chose. */
export const prefixOf = (secret: string) => (shape.test(secret) ? secret.slice(0, 7) : '');

/** The keyed hash of a secret, as stored. */
export const hashOf = ({ vault }: { vault: Vault }, secret: string) => vault.hash('api key', secret);
