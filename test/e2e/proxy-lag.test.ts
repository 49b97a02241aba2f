import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import type { ReadsUpstream, Upstream } from '../../src/plan/routing-plan.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { planTo } from '../proxy/servers.ts';

const MAX_LAG_MS = 1_000;
/** A node that is asked how far it is answers within that, or gets no more reads. */
const ANSWER_MS = 500;

for (const from of ['path', 'wheel'] as const) {
  test(`reads are never older than --max-lag (server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 1, nodeTimeoutMs: 30_000 });
    t.after(() => cluster.stop());
    const [shard] = await cluster.shards();
    const [primary, replica] = [cluster.node(shard?.primary ?? 0), cluster.node(shard?.replicas[0] ?? 0)];
    // A slow read would be asked of the primary too.
    const settings = { maxLagMs: MAX_LAG_MS, hedgeAfterMs: 60_000 };
    const proxy = await startProxy(t, clusterPlan(cluster, 'PREFER_REPLICA'), settings);
    const through = client(t, portsOf(proxy)[0] ?? 0);
    const stateOf = (port: number): string =>
      proxy.status()[0]?.nodes.find(({ address }) => address.endsWith(`:${port}`))?.state ?? '';
    const readsOf = (port: number): number =>
      proxy.status()[0]?.nodes.find(({ address }) => address.endsWith(`:${port}`))?.reads ?? 0;
    // Counts upwards all the time; when each number was there, as its writer knows.
    const written: number[] = [];
    const ending = new AbortController();
    const writing = (async () => {
      while (!ending.signal.aborted) {
        await through.set('count', written.length);
        written.push(performance.now());
        await sleep(10);
      }
    })();
    t.after(() => ending.abort());
    /** For how long what was read had been replaced when it was asked for. */
    const ages = async (durationMs: number): Promise<number[]> => {
      const found: number[] = [];
      const until = performance.now() + durationMs;
      while (performance.now() < until) {
        const asked = performance.now();
        const replacedAt = written[Number(await through.get('count')) + 1] ?? asked;
        found.push(Math.max(0, asked - replacedAt));
        await sleep(5);
      }
      return found;
    };
    await eventually('a first value everywhere', async () =>
      (await through.get('count')) === null ? undefined : true,
    );

    await t.test('a replica that keeps up is read from, under writes', async () => {
      const before = [readsOf(replica.port), readsOf(primary.port)] as const;
      const asked = (await ages(500)).length;
      assert.deepEqual([readsOf(replica.port) - before[0], readsOf(primary.port) - before[1]], [asked, 0]);
    });
    await t.test('one whose stream is held up is not, before it is too old', async () => {
      // Answers its clients, and applies nothing: its link is up.
      await replica.client.readonly();
      await replica.client.call('CLIENT', 'PAUSE', '30000', 'WRITE');
      await eventually('the replica standing still', async () => {
        const [once, again] = [
          await replica.client.get('count'),
          (await sleep(100), await replica.client.get('count')),
        ];
        return once === again ? true : undefined;
      });
      const oldest = Math.max(...(await ages(2_000)));
      assert.ok(oldest > 200, `no read was older than ${oldest} ms: the replica was never behind`);
      assert.ok(oldest < MAX_LAG_MS + ANSWER_MS, `a read was ${oldest} ms old`);
      assert.match(stateOf(replica.port), /lags/);
    });
    await t.test('when it has caught up it is read from again', async () => {
      await replica.client.call('CLIENT', 'UNPAUSE');
      await eventually('the replica being fit', () => (stateOf(replica.port) === 'fit' ? true : undefined));
    });
    await t.test('while the primary is dead its replicas are read from: nothing newer is known', async () => {
      ending.abort();
      await writing;
      await cluster.replicated();
      const value = await through.get('count');
      await cluster.kill(primary);
      await sleep(2 * MAX_LAG_MS);
      assert.equal(await through.get('count'), value);
    });
  });
}

test('a server for reads that has lost its primary gets none once that is longer ago than --max-lag', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('servers');
  t.after(() => removeFolder(folder));
  const nodes = await Promise.all(
    Array.from({ length: 3 }, () => startRedis({ server: redis.server, folder })),
  );
  t.after(() => Promise.all(nodes.map(stopRedis)));
  const [primary, replica, spare] = nodes;
  assert.ok(primary && replica && spare);
  await replica.client.call('REPLICAOF', '127.0.0.1', String(primary.port));
  await eventually('replication', async () =>
    (await replica.client.info('replication')).includes('master_link_status:up') ? true : undefined,
  );
  await primary.client.set('who', 'the primary');
  await spare.client.set('who', 'the spare');
  const plan = planTo(primary.port);
  const [[upstreamId, upstream] = []] = [...plan.upstreams];
  assert.ok(upstream?.mode === 'proxy' && upstreamId !== undefined);
  const serversAt = (port: number) => [{ kind: 'dns', name: '127.0.0.1', port }] as const;
  const reads: ReadsUpstream = {
    ...upstream,
    id: 'reads',
    mode: 'reads',
    groups: [serversAt(replica.port), serversAt(spare.port)],
  };
  const proxy = await startProxy(
    t,
    {
      upstreams: new Map<string, Upstream>([
        [upstreamId, upstream],
        ['reads', reads],
      ]),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: {
          ...listener,
          routes: { ...listener.routes, catchAll: { upstream: upstreamId, reads: 'reads', mirrors: [] } },
        },
      })),
    },
    { maxLagMs: MAX_LAG_MS },
  );
  const through = client(t, portsOf(proxy)[0] ?? 0);
  await eventually('reads of the replica', async () =>
    (await through.get('who')) === 'the primary' ? true : undefined,
  );
  // The link stays up, and nothing comes.
  primary.process.signal('SIGSTOP');
  t.after(() => primary.process.signal('SIGCONT'));
  await eventually('reads of the spare', async () =>
    (await through.get('who')) === 'the spare' ? true : undefined,
  );
});
