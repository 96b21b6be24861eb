import type { Secrets } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import type { Database } from './db/client.ts';
import { ensureAdminKey, hasAdminKey, isOwnSecretKey } from './domain/access/admin-key.ts';
import type { SecretFiles } from './secret/secret-files.ts';
import { Vault } from './secret/vault.ts';

/**
 * Opens the vault with SECRET_KEY, else the kept key, else a new one. Throws ConfigError when the database was set up with
 * another key.
 */
export async function openVault(secrets: Secrets, files: SecretFiles, database: Database): Promise<Vault> {
  const vault = new Vault(secrets.secretKey ?? (await files.read('secret-key')) ?? (await files.make('secret-key')));
  if (await isOwnSecretKey(database, vault)) return vault;
  throw new ConfigError(
    'SECRET_KEY is not the key with which this database was set up. Set it to that key, which the first server keeps in DATA_DIR/secret-key.',
  );
}

/**
 * Sets the admin key: ADMIN_KEY, else the kept one, else a new one where the database has none. Another process may set
 * one first: the new one is then deleted.
 */
export async function openAdminKey(
  secrets: Secrets,
  files: SecretFiles,
  { database, vault }: { database: Database; vault: Vault },
): Promise<{ adminKey: string | null; isNewAdminKey: boolean }> {
  const given = secrets.adminKey ?? (await files.read('admin-key'));
  const isNew = given === null && !(await hasAdminKey(database));
  const secret = given ?? (isNew ? await files.make('admin-key') : null);
  const isSet = secret !== null && (await ensureAdminKey(database, vault, secret, secrets.adminKey !== null));
  if (isNew && !isSet) await files.forget('admin-key');
  return { adminKey: isSet ? secret : null, isNewAdminKey: isNew && isSet };
}
