import { dropEmptyVariables } from '../../src/config/environment.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: the server as src/main.ts starts it, with the timing of tests.
dropEmptyVariables();
const { readConfig } = await import('../../src/config/config.ts');
const { serve } = await import('../../src/serve.ts');
await serve(() => {
  const { config, secrets } = readConfig();
  return { config: { ...config, timing: fastTiming }, secrets };
});
