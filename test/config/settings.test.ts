import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { withSettings } from '../../src/config/print-settings.ts';
import { type Setting, settingsOf } from '../../src/config/setting.ts';
import { secretSettings, sections, settings } from '../../src/config/settings.ts';

const all = [...settingsOf(settings), ...settingsOf(secretSettings)];
const bounded = all.flatMap((setting) => (setting.kind.bounds ? [{ setting, ...setting.kind.bounds }] : []));
const numbers = bounded.filter(({ unit }) => unit !== 'characters');
const texts = bounded.filter(({ unit }) => unit === 'characters');
const others = all.filter(({ kind }) => !kind.bounds);

/** Reads a setting from an environment in which nothing else is set. */
const read = <T>(setting: Setting<T>, text: string) => setting.read({ [setting.variable]: text });

describe('the documentation', () => {
  test('docs/configuration.md is what `npm run docs` prints', async () => {
    const document = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    expect(document).toBe(withSettings(document));
  });

  test('the sections have each setting once', () => {
    const shown = settingsOf(sections).map(({ variable }) => variable);
    expect(shown.toSorted()).toEqual(all.map(({ variable }) => variable).toSorted());
    expect(new Set(shown).size).toBe(shown.length);
  });
});

describe('numbers', () => {
  test.each(numbers.map((each) => [each.setting.variable, each] as const))(
    '%s',
    (_variable, { setting, min, max, unit }) => {
      const factor = unit === 'seconds' ? 1000 : 1;
      expect(read(setting, String(min))).toBe(min * factor);
      expect(read(setting, String(max))).toBe(max * factor);
      for (const text of [String(min - 1), String(max + 1), `${min}.5`, ` ${min}`, 'x', '1e2']) {
        expect(() => read(setting, text), text).toThrow(ConfigError);
      }
    },
  );
});

describe('texts with a length', () => {
  test.each(texts.map((each) => [each.setting.variable, each] as const))('%s', (_variable, { setting, min, max }) => {
    expect(read(setting, 'x'.repeat(min))).toBe('x'.repeat(min));
    expect(read(setting, 'x'.repeat(max))).toBe('x'.repeat(max));
    expect(() => read(setting, 'x'.repeat(max + 1))).toThrow(ConfigError);
    if (min > 1) expect(() => read(setting, 'x'.repeat(min - 1))).toThrow(ConfigError);
  });
});

test('every other kind of value refuses a malformed one, but for texts and paths', () => {
  const lenient = others.filter((setting) => setting.kind.schema.safeParse('\n?').success);
  expect(lenient.map(({ variable }) => variable).toSorted()).toEqual([
    'DATA_DIR',
    'FILES_DIR',
    'MODEL_CATALOG',
    'NODE_ENV',
    'PYTHON_PACKAGES',
  ]);
});

describe('every setting', () => {
  test.each(all.map((setting) => [setting.variable, setting] as const))('%s', (variable, setting) => {
    expect(variable).toMatch(/^[A-Z][A-Z_]*$/);
    expect(setting.sentence).toMatch(/^[A-Z].*\.$/);
    // The default is valid, and the empty string counts as absent.
    expect(read(setting, '')).toEqual(setting.read({}));
    const malformed = 'sk-1234\u0000';
    if (setting.kind.schema.safeParse(malformed).success) return;
    const message = `${variable} is not valid: it accepts ${setting.kind.accepts}.`;
    expect(() => readConfig({ [variable]: malformed })).toThrow(new ConfigError(message));
  });
});

test('the defaults of some settings follow from others', () => {
  const { config, secrets } = readConfig({});
  expect(config).toMatchObject({
    production: false,
    graphiql: true,
    introspection: true,
    corsOrigins: '*',
    oidc: null,
  });
  expect(config.files.folder).toBe(resolve('.data/files'));
  expect(config.tools).toMatchObject({ embedding: null, pluginHosts: [] });
  expect(secrets).toEqual({
    ...{ adminKey: null, secretKey: null, databaseUrl: null, redisUrl: null },
    providers: { alibaba: null, openai: null },
  });
  const { config: production } = readConfig({
    NODE_ENV: 'production',
    DATA_DIR: '/data',
    CORS_ORIGINS: 'https://A.example',
  });
  expect(production).toMatchObject({ graphiql: false, introspection: false, corsOrigins: ['https://a.example'] });
  expect(production.files.folder).toBe('/data/files');
  expect(readConfig({ NODE_ENV: 'production' }).config.corsOrigins).toEqual([]);
});

test('settings that make sense together only are read together', () => {
  const issuer = { OIDC_ISSUER: 'https://id.example.com' };
  const together = 'OIDC_ISSUER and OIDC_AUDIENCE go together: set all of them, or none.';
  expect(() => readConfig(issuer)).toThrow(new ConfigError(together));
  expect(() => readConfig({ OIDC_AUDIENCE: 'graph' })).toThrow(new ConfigError(together));
  expect(readConfig({ ...issuer, OIDC_AUDIENCE: 'graph' }).config.oidc).toEqual({
    ...{ issuer: 'https://id.example.com', audience: 'graph', jwksUri: null },
    ...{ userClaim: 'sub', workspaceClaim: null, scopesClaim: 'scope' },
  });
  expect(readConfig({ EMBEDDING_DIMENSIONS: '256' }).config.tools.embedding).toBeNull();
});

test('a provider is configured by its key, and `openai` by its base URL alone, too', () => {
  const providersOf = (environment: Record<string, string>) => readConfig(environment).secrets.providers;
  expect(providersOf({ DASHSCOPE_BASE_URL: 'http://localhost:1/v1/' }).alibaba).toBeNull();
  expect(providersOf({ DASHSCOPE_API_KEY: 'k' }).alibaba).toMatchObject({ apiKey: 'k' });
  expect(providersOf({ OPENAI_API_KEY: 'k' }).openai).toEqual({ apiKey: 'k', baseURL: 'https://api.openai.com/v1' });
  expect(providersOf({ OPENAI_BASE_URL: 'http://localhost:1/v1/' }).openai).toEqual({
    ...{ apiKey: null, baseURL: 'http://localhost:1/v1' },
  });
});
