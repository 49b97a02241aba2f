/**
 * What cluster clients ask a node of a cluster: the proxy says of itself what a real one says that is a cluster alone.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { clientOf } from '../proxy/servers.ts';
import { needRedis } from './environment.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

for (const from of ['path', 'wheel'] as const) {
  test(`CLUSTER is answered as a node answers it (server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    // A node that never met another one knows no address of its own.
    const config = { 'cluster-announce-ip': '127.0.0.1' };
    const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 0, config });
    t.after(() => cluster.stop());
    const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
    await cluster.nodes[0]?.client.set('a', 'of slot 15495');
    for (const protocol of ['2', '3']) {
      for (const words of [
        'SLOTS',
        'SHARDS',
        'NODES',
        'INFO',
        'MYID',
        'KEYSLOT {a}b',
        'KEYSLOT',
        'Slots x',
        'LINKS',
        'MYSHARDID',
        'REPLICAS ID',
        'REPLICAS other',
        'slaves',
        'SLAVES ID',
        'COUNT-FAILURE-REPORTS ID',
        'COUNT-FAILURE-REPORTS other',
        'COUNTKEYSINSLOT',
        'COUNTKEYSINSLOT 15495',
        'COUNTKEYSINSLOT 16384',
        'COUNTKEYSINSLOT x',
        'GETKEYSINSLOT 15495',
        'GETKEYSINSLOT 15495 10',
        'GETKEYSINSLOT 15495 x',
        'odd',
      ]) {
        await t.test(`CLUSTER ${words}, RESP${protocol}`, async () => {
          const asked = [port, cluster.nodes[0]?.port ?? 0].map((each) => answer(t, each, protocol, words));
          const [own, real = ''] = await Promise.all(asked);
          // Redis 7.0 lacks it.
          if (words === 'MYSHARDID' && real.startsWith('-ERR unknown')) return;
          assert.equal(own, real);
        });
      }
    }
  });
}

/** With one word for what is each node's own, and without what some versions only know. */
async function answer(t: TestContext, port: number, protocol: string, words: string): Promise<string> {
  const client = clientOf(t, port);
  client.socket.write(`HELLO ${protocol}\r\n`);
  await eventually('the protocol', () => client.got().includes('modules') || undefined);
  client.socket.write('CLUSTER MYID\r\n');
  const [id = ''] = await eventually('its name', () => /[0-9a-f]{40}/.exec(client.got()) ?? undefined);
  await eventually('all of it', () => client.got().endsWith(`${id}\r\n`) || undefined);
  const before = client.got().length;
  client.socket.write(`CLUSTER ${words.replace(/ ID$/, ` ${id}`)}\r\nECHO over\r\n`);
  const whole = /^([^]*)\$4\r\nover\r\n$/;
  const said = await eventually('the answer', () => whole.exec(client.got().slice(before))?.[1]);
  return said
    .replaceAll(/[0-9a-f]{40}/g, 'ID')
    .replaceAll(/@\d+/g, '@BUS')
    .replaceAll(`${port}`, 'PORT')
    .replace(/^([$=])\d+/, '$1')
    .replace(
      VALKEY_SHARD_ID,
      (_, begin: string, rest: string) => begin.replace('%3', '%2').replace('*6', '*4') + rest,
    )
    .replaceAll(VALKEY_INFO, '')
    .replace(TALK, '$1');
}

/** What Redis does not say. */
const VALKEY_SHARD_ID = /^(\*1\r\n(?:%3|\*6))(\r\n[^]*)\$2\r\nid\r\n\$40\r\nID\r\n$/;
const VALKEY_INFO = /cluster_(?:voting_)?nodes_\w+:\d+\r\n/g;
/** Of INFO, how much nodes have talked with each other. */
const TALK = /(cluster_my_epoch:\d+\r\n)[^]*/;
