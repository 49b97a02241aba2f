/**
 * What a command costs through our proxy, beside Envoy and nutcracker: CPU time, throughput and latency.
 *
 * Every target serves one worker in front of three primaries; each load is put on each target in turn, in interleaved
 * rounds, as rounds differ more than targets on a shared machine. nutcracker does not know clusters: it has plain servers.
 * A Redis server without anything before it tells what of a latency is the load's and the machine's.
 */
import { writeFile } from 'node:fs/promises';

import { Redis } from 'ioredis';

import { findRedis } from '../src/demo/binaries.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { busyRate, closedLoads, fixedLoad, warmUp, type LoadChoice, type ProxyLoad } from './proxy-loads.ts';
import { conditions, jsonOf, tableOf, Rows } from './proxy-report.ts';
import {
  cpuSeconds,
  memoryMib,
  startEnvoyTarget,
  startNutcracker,
  startProxyTarget,
  startRedisTarget,
  type Target,
} from './proxy-targets.ts';

const FIXED_PER_SECOND = 20_000;
const FIXED_SECONDS = 2;

/**
 * `--rounds N` (7), `--full` for 500 clients and 4 KiB too, `--only GET,SET,fixed`, `--pipelines 1,16`, `--rate N,N` for the
 * fixed rates (20,000 a second, and nine tenths of what the first target answers at most), `--json FILE` (or `-`: instead of
 * the table), `--scale F` for longer or shorter runs,
 * `--without nutcracker,Envoy,batching,Redis`, `--profile FOLDER` for a CPU profile of the proxy.
 */
export async function run(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined =>
    args.includes(name) ? args[args.indexOf(name) + 1] : undefined;
  const rounds = Number(option('--rounds') ?? 7);
  const profile = option('--profile');
  const only = (option('--only') ?? 'GET,SET,MGET,MSET,fixed').split(',');
  const choice: LoadChoice = {
    commands: only.filter((name) => name !== 'fixed'),
    pipelines: (option('--pipelines') ?? '1,16').split(',').map(Number),
    clients: args.includes('--full') ? [50, 500] : [50],
    bytes: args.includes('--full') ? [3, 4_096] : [3],
    scale: Number(option('--scale') ?? 1),
  };
  const before = conditions();
  const cluster = await RedisCluster.start({ redis: await findRedis({ from: 'path' }), replicas: 0 });
  const targets: Target[] = [];
  const rows = new Rows();
  try {
    const seed = cluster.nodes[0]?.port ?? 0;
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    await startTargets(targets, seed, (option('--without') ?? '').split(','), flags);
    for (const bytes of choice.bytes) {
      for (const target of targets) {
        say(`warming up ${target.name}, ${bytes} B`);
        await warmUp(target.port, bytes);
      }
      const loads = closedLoads({ ...choice, bytes: [bytes] });
      if (only.includes('fixed') && bytes === 3) {
        const rates = option('--rate')?.split(',').map(Number) ?? [
          FIXED_PER_SECOND,
          await busyRate(targets[0]?.port ?? 0),
        ];
        loads.push(...rates.map((rate) => fixedLoad(rate, FIXED_SECONDS)));
      }
      await measureRounds(targets, loads, rounds, rows);
    }
    for (const { name, process } of targets) rows.memory.set(name, await memoryMib(process.pid));
  } finally {
    for (const target of targets) await target.stop();
    await cluster.stop();
  }
  const json = option('--json');
  const report = jsonOf(rows, { before, after: conditions() });
  if (json === '-') process.stdout.write(report);
  else process.stdout.write(tableOf(rows, before));
  if (json !== undefined && json !== '-') await writeFile(json, report);
}

/** Into `targets`, so that those before one that fails are stopped. Ratios are to the first. */
async function startTargets(
  targets: Target[],
  seed: number,
  without: readonly string[],
  flags: readonly string[],
): Promise<void> {
  const redis = await findRedis({ from: 'path' });
  if (!without.includes('Envoy')) targets.push(await startEnvoyTarget(seed, false));
  if (!without.includes('batching')) targets.push(await startEnvoyTarget(seed, true));
  const nutcracker = without.includes('nutcracker') ? undefined : await startNutcracker(redis);
  if (nutcracker !== undefined) targets.push(nutcracker);
  if (!without.includes('Redis')) targets.push(await startRedisTarget(redis));
  targets.push(await startProxyTarget(seed, flags));
  // redis-benchmark itself hangs before a port that nobody listens on.
  for (const { name, port } of targets) await eventually(`an answer of ${name}`, () => answers(port));
}

async function measureRounds(
  targets: readonly Target[],
  loads: readonly ProxyLoad[],
  rounds: number,
  rows: Rows,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const load of loads) {
      // Whoever comes first finds a quieter machine now and then: each does in turn.
      for (const target of rotated(targets, round)) {
        const begin = await cpuSeconds(target.process.pid);
        const seen = await load.run(target.port).catch((error: unknown) => {
          throw new Error(`${target.name}, ${load.name}: ${String(error)}\n${target.process.lastLines()}`);
        });
        const used = (await cpuSeconds(target.process.pid)) - begin;
        const row = { ...seen, cpuMicros: (used / seen.commands) * 1e6 };
        say(`round ${round}, ${load.name}, ${target.name}: ${JSON.stringify(row)}`);
        rows.add(target.name, load.name, row);
      }
    }
  }
}

async function answers(port: number): Promise<true> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    protocol: 2,
    disableClientInfo: true,
    enableReadyCheck: false,
  });
  client.on('error', () => {});
  try {
    await client.get('first');
    return true;
  } finally {
    client.disconnect();
  }
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
