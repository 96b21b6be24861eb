import { expect, test } from 'vitest';
import { settingsOf } from '../../src/config/setting.ts';
import { secretSettings, settings } from '../../src/config/settings.ts';
import { ServerProcess } from '../support/process.ts';

/** What ServerProcess itself needs. */
const given = ['PORT', 'DATA_DIR', 'ADMIN_KEY', 'DATABASE_URL', 'REDIS_URL', 'PYTHON_READY'];

test('a server starts with every other setting present and empty', async () => {
  const names = [...settingsOf(settings), ...settingsOf(secretSettings)].map(({ variable }) => variable);
  const empty = names.filter((name) => !given.includes(name)).map((name) => [name, '']);
  await using server = await ServerProcess.prepare(Object.fromEntries(empty));
  await server.start();
  expect((await server.client.send('{ viewer { kind } }')).data).toEqual({ viewer: { kind: 'API_KEY' } });
});
