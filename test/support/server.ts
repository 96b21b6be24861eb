import { dropEmptyVariables } from '../../src/config/environment.ts';
import { fastTiming } from './timing.ts';

// The entry of server processes under test: src/main.ts with the timing of tests. TEST_TIMING overrides parts of it, as JSON;
// CLOCK_AHEAD_MS moves the clock of the process.
dropEmptyVariables();
const aheadMs = Number(process.env.CLOCK_AHEAD_MS ?? 0);
if (aheadMs > 0) {
  const RightDate = Date;
  globalThis.Date = class extends RightDate {
    constructor(...given: [] | [number | string | Date]) {
      super(given.length === 0 ? RightDate.now() + aheadMs : (given[0] as number));
    }
    static override now() {
      return RightDate.now() + aheadMs;
    }
  } as DateConstructor;
}
const { readConfig } = await import('../../src/config/config.ts');
const { serve } = await import('../../src/serve.ts');
await serve(() => {
  const { config, secrets } = readConfig();
  const timing = { ...fastTiming, ...JSON.parse(process.env.TEST_TIMING ?? '{}') };
  return { config: { ...config, timing }, secrets };
});
