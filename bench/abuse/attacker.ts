// The attackers of bench/abuse.ts, in a process of their own. ABUSE: the footholds by attack, as JSON. Attacks until SIGTERM, then prints
// what the server answered.
import { setMaxListeners } from 'node:events';
import { attacks, type Foothold } from './attacks.ts';

const footholds = JSON.parse(process.env.ABUSE as string) as Record<string, Foothold>;
const only = process.env.ABUSE_ONLY?.split(',');
const stop = new AbortController();
setMaxListeners(0, stop.signal);
const outcomes = new Map<string, Map<string, number>>();
const started = Object.entries(attacks)
  .filter(([name]) => !only || only.includes(name))
  .map(([name, attack]) => {
    const counts = new Map<string, number>();
    outcomes.set(name, counts);
    return attack(
      footholds[name] as Foothold,
      (outcome) => counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
      stop.signal,
    );
  });
process.on('SIGTERM', async () => {
  stop.abort();
  await Promise.allSettled(started);
  for (const [name, counts] of outcomes) {
    const list = [...counts].map(([outcome, count]) => `${outcome} ${count}`);
    console.error(`  ${name.padEnd(28)} ${list.join(', ') || 'no answer'}`);
  }
  process.exit(0);
});
// `serve` waits for an address.
console.log(`attacks ${Object.values(footholds)[0]?.url}`);
