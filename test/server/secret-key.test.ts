import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { ServerProcess } from '../support/process.ts';

test('the generated secrets are kept for their owner only, the admin key is shown once, and both are valid after a restart', async () => {
  await using server = await ServerProcess.prepare({ ADMIN_KEY: '' }, { isNew: true });
  await server.start();
  const key = await server.keptKey();
  expect(server.output).toContain(key);
  for (const name of ['admin-key', 'secret-key']) {
    expect((await stat(join(server.dataDir, name))).mode & 0o777).toBe(0o600);
  }
  const client = server.clientWith(key);
  const made = await client.createKey({ scopes: ['THREADS_READ'] });
  await server.clientWith(made.secret).data('{ viewer { kind } }');
  const user = await client.as('alice');

  expect(await server.end('SIGTERM')).toBe(0);
  await server.start();
  expect(server.output).not.toContain(key);
  // Earlier keys and tokens are still valid, and their last use has been stored.
  const { workspace } = await server.clientWith(key).data('{ workspace { apiKeys { nodes { id lastUsedAt } } } }');
  for (const { lastUsedAt } of workspace.apiKeys.nodes) {
    expect(Date.now() - new Date(lastUsedAt).getTime()).toBeLessThan(60_000);
  }
  expect((await server.clientWith(user.key).data('{ viewer { userId } }')).viewer.userId).toBe('alice');
}, 30_000);

test('a server with another SECRET_KEY does not start and names the fix', async () => {
  await using server = await ServerProcess.prepare({});
  await server.start();
  await server.end('SIGTERM');
  const path = join(server.dataDir, 'secret-key');
  const secretKey = (await readFile(path, 'utf8')).trim();
  await rm(path);
  await expect(server.start()).rejects.toThrow(
    /^the server ended at its start: SECRET_KEY is not the key with which this database was set up\. Set it to that key.*\n$/,
  );
  await using again = server.with({ SECRET_KEY: secretKey });
  await again.start();
  expect((await again.client.data('{ viewer { kind } }')).viewer.kind).toBe('API_KEY');
}, 30_000);

test.each([
  [{ SECRET_KEY: 'short' }, 'SECRET_KEY is not valid: it accepts 32 to 500 printable characters without spaces.'],
  [{ CORS_ORIGINS: 'app.example.com' }, 'CORS_ORIGINS is not valid'],
  [{ CORS_ORIGINS: 'https://app.example.com/path' }, 'CORS_ORIGINS is not valid'],
  [{ OIDC_ISSUER: 'https://id.example.com' }, 'OIDC_ISSUER and OIDC_AUDIENCE go together'],
  [
    { ADMIN_KEY: `ag_${'x'.repeat(49)}` },
    'ADMIN_KEY is not valid: it accepts 16 to 200 printable characters without spaces; a generated key (ag_…) must have no typing error.',
  ],
])('a setting that is not valid stops the start with one line: %o', (environment, line) => {
  expect(() => readConfig(environment)).toThrow(ConfigError);
  expect(() => readConfig(environment)).toThrow(line);
});
