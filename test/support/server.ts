import { dropEmptyVariables } from '../../src/config/environment.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: src/main.ts with the timing of tests. TEST_TIMING overrides parts of it, as JSON.
dropEmptyVariables();
const { readConfig } = await import('../../src/config/config.ts');
const { serve } = await import('../../src/serve.ts');
await serve(() => {
  const { config, secrets } = readConfig();
  const timing = { ...fastTiming, ...JSON.parse(process.env.TEST_TIMING ?? '{}') };
  return { config: { ...config, timing }, secrets };
});
