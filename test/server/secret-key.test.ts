import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/config.ts';
import { ServerProcess } from '../support/process.ts';

test('what opens the server is made once, kept for its owner alone, shown once, and opens it after a restart', async () => {
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
  // Keys and tokens of before are as good as they were, and when they were used has been written down.
  const { workspace } = await server.clientWith(key).data('{ workspace { apiKeys { nodes { id lastUsedAt } } } }');
  for (const { lastUsedAt } of workspace.apiKeys.nodes) {
    expect(Date.now() - new Date(lastUsedAt).getTime()).toBeLessThan(60_000);
  }
  expect((await server.clientWith(user.key).data('{ viewer { userId } }')).viewer.userId).toBe('alice');
}, 30_000);

test('another SECRET_KEY than the first does not start, and says what to do', async () => {
  await using server = await ServerProcess.prepare({});
  await server.start();
  await server.end('SIGTERM');
  const path = join(server.dataDir, 'secret-key');
  const secretKey = (await readFile(path, 'utf8')).trim();
  await rm(path);
  await expect(server.start()).rejects.toThrow(
    /^the server ended at its start: SECRET_KEY is not the one that this database was set up with: set it to that one .*\n$/,
  );
  await using again = server.with({ SECRET_KEY: secretKey });
  await again.start();
  expect((await again.client.data('{ viewer { kind } }')).viewer.kind).toBe('API_KEY');
}, 30_000);

test.each([
  [{ SECRET_KEY: 'short' }, 'SECRET_KEY is not valid: it accepts at least 32 printable characters without spaces.'],
  [{ CORS_ORIGINS: 'app.example.com' }, 'CORS_ORIGINS is not valid'],
  [{ CORS_ORIGINS: 'https://app.example.com/path' }, 'CORS_ORIGINS is not valid'],
  [{ OIDC_ISSUER: 'https://id.example.com' }, 'OIDC_ISSUER and OIDC_AUDIENCE go together'],
  [
    { ADMIN_KEY: `ag_${'x'.repeat(49)}` },
    'ADMIN_KEY is not valid: it looks like a key of this server, but has a typo.',
  ],
])('a setting that cannot be meant stops the start with one line: %o', (environment, line) => {
  expect(() => readConfig(environment)).toThrow(ConfigError);
  expect(() => readConfig(environment)).toThrow(line);
});
