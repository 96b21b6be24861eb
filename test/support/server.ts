import { readConfig } from '../../src/config/config.ts';
import { serve } from '../../src/serve.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: the server as src/main.ts starts it, with the timing of tests.
await serve(() => {
  const { config, secrets } = readConfig();
  return { config: { ...config, timing: fastTiming }, secrets };
});
