import { expect, test } from 'vitest';
import type { Credential } from '../../src/domain/access/credential.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { CredentialError } from '../../src/domain/error.ts';
import { serverLimits } from '../../src/server/limits.ts';
import { CredentialLookup } from '../../src/server/session/credential-lookup.ts';

const principal = {} as Principal;
const credential = (secret: string): Credential => ({ secret, workspace: null });

test('credentials that arrive while one is looked up are looked up together, each with its own result', async () => {
  const batches: number[] = [];
  const lookup = new CredentialLookup(async (credentials) => {
    batches.push(credentials.length);
    await Promise.resolve();
    return credentials.map(({ secret }) =>
      secret === 'good' ? principal : new CredentialError('UNKNOWN', `${secret}`),
    );
  }, 1);
  const found = ['good', 'a', 'b', 'good'].map((secret) => lookup.find(credential(secret)));
  expect(await Promise.allSettled(found)).toMatchObject([
    { value: principal },
    { reason: { message: 'a' } },
    { reason: { message: 'b' } },
    { value: principal },
  ]);
  expect(batches).toEqual([1, 3]);
});

test('a failed look-up fails its credentials, and the next ones are looked up', async () => {
  let isDown = true;
  const lookup = new CredentialLookup(async (credentials) => {
    if (isDown) throw new Error('the database is away');
    return credentials.map(() => principal);
  }, 1);
  await expect(lookup.find(credential('a'))).rejects.toThrow('away');
  isDown = false;
  expect(await lookup.find(credential('a'))).toBe(principal);
});

test('more credentials than may wait are refused', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const lookup = new CredentialLookup(async (credentials) => {
    await promise;
    return credentials.map(() => principal);
  }, 1);
  const found = Array.from({ length: serverLimits.waitingCredentials + 1 }, () => lookup.find(credential('x')));
  await expect(lookup.find(credential('x'))).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  resolve();
  await Promise.all(found);
});
