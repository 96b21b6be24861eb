import { readConfig } from '../../src/config/config.ts';
import { serve } from '../../src/serve.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: src/main.ts with the timing of tests. TEST_TIMING overrides parts of it, as JSON.
await serve(() => {
  const { config, secrets } = readConfig();
  const timing = { ...fastTiming, ...JSON.parse(process.env.TEST_TIMING ?? '{}') };
  return { config: { ...config, timing }, secrets };
});
