/**
 * Seeds of a random cluster before the proxy, one after the other (`npm run soak -- chaos --minutes 10`): is any command
 * lost, carried out twice, out of order, or answered wrongly. `--seed N` repeats one, `--first N` begins there.
 */
import { parseArgs } from 'node:util';

import { runSeed, type Outcome } from '../test/proxy/chaos/run.ts';

export async function soakChaos(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string' },
      first: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '3' },
      clients: { type: 'string', default: '12' },
      faults: { type: 'string' },
      subscribers: { type: 'string' },
      servers: { type: 'string' },
      tls: { type: 'boolean' },
      drain: { type: 'boolean' },
      routes: { type: 'boolean' },
    },
  });
  const options = {
    forMs: Number(values.seconds) * 1_000,
    clients: Number(values.clients),
    faults: values.faults?.split(','),
    isPlain: values.servers === undefined ? undefined : values.servers === 'plain',
    isSecured: values.tls,
    isDrained: values.drain,
    isRouted: values.routes,
    ...(values.subscribers === undefined ? {} : { subscribers: Number(values.subscribers) }),
  };
  const end = performance.now() + Number(values.minutes) * 60_000;
  const faults: Record<string, number> = {};
  const counts: Record<string, number> = {};
  const bad: number[] = [];
  let seeds = 0;
  let slowestMs = 0;
  for (let seed = Number(values.seed ?? values.first); performance.now() < end; seed++) {
    const outcome = await runSeed(seed, options);
    seeds += 1;
    add(faults, outcome.faults);
    add(counts, outcome.counts);
    slowestMs = Math.max(slowestMs, outcome.slowestMs);
    if (outcome.violations.length > 0) bad.push(seed);
    tell(seed, outcome);
    if (values.seed !== undefined) break;
  }
  process.stdout.write(`${seeds} seeds; slowest reply ${Math.round(slowestMs)} ms\n`);
  process.stdout.write(`faults: ${listed(faults)}\ncounts: ${listed(counts)}\n`);
  process.stdout.write(bad.length === 0 ? 'fine\n' : `not fine: seeds ${bad.join(', ')}\n`);
  process.exitCode = bad.length === 0 ? 0 : 1;
}

function add(to: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) to[name] = (to[name] ?? 0) + count;
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function tell(seed: number, { violations, counts, faults, slowestMs }: Outcome): void {
  const harm = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const slowest = `slowest ${Math.round(slowestMs)} ms`;
  process.stderr.write(`seed ${seed}: ${counts['replies'] ?? 0} replies, ${slowest}, ${harm} faults\n`);
  for (const violation of violations) process.stdout.write(`seed ${seed}: ${violation}\n\n`);
}
