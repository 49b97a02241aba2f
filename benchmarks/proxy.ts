/**
 * What a command costs through our proxy, beside Envoy and nutcracker: CPU time, throughput and latency.
 *
 * Every target serves one worker in front of three primaries; redis-benchmark loads each in turn, in interleaved rounds,
 * as rounds differ more than targets on a shared machine. Ratios are medians of the ratios within a round. nutcracker does
 * not know clusters: it has plain servers.
 */
import { writeFile } from 'node:fs/promises';

import { Redis } from 'ioredis';

import { findRedis } from '../src/demo/binaries.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { median } from './free-connections.ts';
import {
  cpuSeconds,
  memoryMib,
  startEnvoyTarget,
  startNutcracker,
  startProxyTarget,
  type Target,
} from './proxy-targets.ts';
import { runRedisBenchmark, type Load, type Seen } from './redis-benchmark.ts';

const KEY = 'key:__rand_int__';
const TEN = Array.from({ length: 10 }, () => KEY);
const COMMANDS: Readonly<Record<string, (value: string) => readonly string[]>> = {
  GET: () => ['GET', KEY],
  SET: (value) => ['SET', KEY, value],
  MGET: () => ['MGET', ...TEN],
  MSET: (value) => ['MSET', ...TEN.flatMap((key) => [key, value])],
};

interface Row extends Seen {
  readonly cpuMicros: number;
}

/** By target, by load: a row a round. */
type Rows = Map<string, Map<string, Row[]>>;

/**
 * `--rounds N` (7), `--full` for 500 clients and 4 KiB too, `--only GET,SET`, `--pipelines 1,16`, `--json FILE`,
 * `--seconds-worth F` scales the number of commands, `--without nutcracker,Envoy`, `--profile FOLDER` for a CPU profile of
 * the proxy.
 */
export async function run(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined =>
    args.includes(name) ? args[args.indexOf(name) + 1] : undefined;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const rounds = Number(option('--rounds') ?? 7);
  const without = (option('--without') ?? '').split(',');
  const profile = option('--profile');
  const loads = loadsOf(
    (option('--only') ?? 'GET,SET,MGET,MSET').split(','),
    (option('--pipelines') ?? '1,16').split(',').map(Number),
    args.includes('--full'),
    Number(option('--seconds-worth') ?? 1),
  );
  const redis = await findRedis({ from: 'path' });
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  const seed = cluster.nodes[0]?.port ?? 0;
  const targets: Target[] = [];
  const rows: Rows = new Map();
  const memory = new Map<string, number>();
  try {
    if (!without.includes('Envoy')) targets.push(await startEnvoyTarget(seed));
    const nutcracker = without.includes('nutcracker') ? undefined : await startNutcracker(redis);
    if (nutcracker !== undefined) targets.push(nutcracker);
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    targets.push(await startProxyTarget(seed, flags));
    for (const target of targets) {
      // redis-benchmark itself hangs before a port that nobody listens on.
      await eventually(`an answer of ${target.name}`, () => answers(target.port));
      await runRedisBenchmark(target.port, { ...FIRST, commands: 200_000 });
    }
    for (let round = 1; round <= rounds; round++) {
      for (const load of loads) {
        // Whoever comes first finds a quieter machine now and then: each does in turn.
        for (const target of rotated(targets, round)) {
          const row = await measure(target, load);
          say(`round ${round}, ${load.name}, ${target.name}: ${JSON.stringify(row)}`);
          listOf(rows, target.name, load.name).push(row);
        }
      }
    }
    for (const { name, process } of targets) memory.set(name, await memoryMib(process.pid));
  } finally {
    for (const target of targets) await target.stop();
    await cluster.stop();
  }
  process.stdout.write(
    tableOf(
      targets.map(({ name }) => name),
      loads,
      rows,
      memory,
    ),
  );
  const json = option('--json');
  if (json !== undefined) {
    const plain = [...rows].map(([target, byLoad]) => [target, Object.fromEntries(byLoad)]);
    await writeFile(json, JSON.stringify({ rows: Object.fromEntries(plain), memory: [...memory] }));
  }
}

const FIRST: Load = {
  name: 'first',
  command: COMMANDS['SET']?.('xxx') ?? [],
  pipeline: 16,
  clients: 50,
  bytes: 3,
  commands: 0,
};

function loadsOf(
  names: readonly string[],
  pipelines: readonly number[],
  full: boolean,
  scale: number,
): readonly Load[] {
  const loads: Load[] = [];
  for (const bytes of full ? [3, 4_096] : [3]) {
    for (const clients of full ? [50, 500] : [50]) {
      for (const name of names) {
        for (const pipeline of pipelines) {
          const isMulti = name.startsWith('M');
          const commands = (pipeline === 1 ? 60_000 : isMulti ? 100_000 : 500_000) * scale;
          const command = COMMANDS[name]?.('x'.repeat(bytes)) ?? [];
          const rest = `${clients === 50 ? '' : `, ${clients} clients`}${bytes === 3 ? '' : `, ${bytes} B`}`;
          const label = `${name}${pipeline === 1 ? '' : `, pipeline ${pipeline}`}${rest}`;
          loads.push({ name: label, command, pipeline, clients, bytes, commands });
        }
      }
    }
  }
  return loads;
}

async function measure({ name, port, process }: Target, load: Load): Promise<Row> {
  const before = await cpuSeconds(process.pid);
  const seen = await runRedisBenchmark(port, load).catch((error: unknown) => {
    throw new Error(`${name}, ${load.name}: ${String(error)}\n${process.lastLines()}`);
  });
  const used = (await cpuSeconds(process.pid)) - before;
  return { ...seen, cpuMicros: (used / load.commands) * 1e6 };
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

function listOf(rows: Rows, target: string, load: string): Row[] {
  const byLoad = rows.get(target) ?? new Map<string, Row[]>();
  rows.set(target, byLoad);
  const list = byLoad.get(load) ?? [];
  byLoad.set(load, list);
  return list;
}

function tableOf(
  names: readonly string[],
  loads: readonly Load[],
  rows: Rows,
  memory: ReadonlyMap<string, number>,
): string {
  const [base = ''] = names;
  const lines = [
    `Medians; in brackets the ratio to ${base}: median, and its range over the rounds.\n`,
    `| load | target | CPU us | commands/s | p50 ms | p99 ms |`,
    `|---|---|---|---|---|---|`,
  ];
  for (const { name: load } of loads) {
    for (const target of names) {
      const own = rows.get(target)?.get(load) ?? [];
      const others = rows.get(base)?.get(load) ?? [];
      const cell = (pick: (row: Row) => number, digits: number): string => {
        const ratios = own.map((row, round) => pick(row) / pick(others[round] ?? row));
        const range = `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
        return `${median(own.map(pick)).toFixed(digits)} (**${median(ratios).toFixed(2)}**, ${range})`;
      };
      lines.push(
        `| ${load} | ${target} | ${cell((row) => row.cpuMicros, 1)} | ${cell((row) => row.perSecond, 0)} | ` +
          `${cell((row) => row.p50, 2)} | ${cell((row) => row.p99, 2)} |`,
      );
    }
  }
  const sizes = [...memory].map(([name, mib]) => `${name} ${mib.toFixed(0)} MiB`);
  return `${lines.join('\n')}\n\nMemory at the end: ${sizes.join(', ')}.\n`;
}
