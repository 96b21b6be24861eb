import { readConfig } from '../../src/config/config.ts';
import { serve } from '../../src/serve.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: src/main.ts with the timing of tests.
await serve(() => {
  const { config, secrets } = readConfig();
  return { config: { ...config, timing: fastTiming }, secrets };
});
