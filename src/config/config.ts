import { readTree, type Values } from './setting.ts';
import { secretSettings, settings } from './settings.ts';
import { defaultTiming, type Timing } from './timing.ts';

/** The settings of the server, frozen. Durations are in milliseconds. */
export type Config = Values<typeof settings> & { readonly timing: Timing };

/** The settings that no log, error or response may show. */
export type Secrets = Values<typeof secretSettings>;

/** An identity provider (OpenID Connect), and the claims of its tokens that matter. */
export type OidcSettings = NonNullable<Config['oidc']>;

/**
 * Reads the configuration from environment variables. Throws ConfigError with one line that names the variable and the
 * values that it accepts, never its value.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): {
  config: Config;
  secrets: Secrets;
} {
  const config = Object.freeze({ ...readTree(settings, environment), timing: defaultTiming });
  return { config, secrets: readTree(secretSettings, environment) };
}
