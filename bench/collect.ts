// Collects garbage when asked to, and writes down what is held then: to the file that BENCH_FIGURES names.
import { writeFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length;
  writeFileSync(process.env.BENCH_FIGURES as string, JSON.stringify({ held: heapUsed + external, rss, handles }));
});
