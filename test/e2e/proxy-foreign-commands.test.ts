import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

/** Under these names no table knows them; Redis does, and tells of them as it does of modules' commands. */
const RENAMED = [
  'GET FETCH',
  'SET JSON.PUT',
  'MGET FETCH_ALL',
  'ZUNION UNITE',
  'BLPOP AWAIT',
  'FLUSHALL WIPE',
];

for (const from of ['path', 'wheel'] as const) {
  test(`commands that only Redis knows (server from the ${from}) go where Redis says`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, replicas: 1, config: { 'rename-command': RENAMED } });
    t.after(() => cluster.stop());
    const proxy = await startProxy(t, clusterPlan(cluster, 'REPLICA'));
    const [port = 0] = portsOf(proxy);
    const through = client(t, port);
    const keys = Array.from({ length: 30 }, (_, index) => `key:${index}`);

    await t.test('writes and reads with one key, in one pipeline with others', async () => {
      const batch = through.pipeline();
      for (const key of keys) batch.call('JSON.PUT', key, `of ${key}`).strlen(key).ping();
      const answers = (await batch.exec()) ?? [];
      assert.deepEqual(
        answers.map(([error, value]) => error?.message ?? value).filter((_, index) => index % 3 !== 1),
        keys.flatMap(() => ['OK', 'PONG']),
      );
      await Promise.all(cluster.nodes.map(({ client: node }) => node.wait(1, 2_000).catch(() => {})));
      assert.deepEqual(
        await Promise.all(keys.map((key) => through.call('fetch', key))),
        keys.map((key) => `of ${key}`),
      );
    });
    await t.test('reads go to replicas', () => {
      const nodes = proxy.status()[0]?.nodes ?? [];
      const ofReplicas = nodes
        .filter(({ role }) => role === 'replica')
        .reduce((sum, { reads }) => sum + reads, 0);
      assert.ok(ofReplicas >= keys.length, `${ofReplicas} reads`);
    });
    await t.test('no redirection was needed', () => {
      assert.equal(proxy.status()[0]?.events['redirected'], 0);
    });
    await t.test('several keys, and keys whose place depends on the arguments', async () => {
      await through.call('JSON.PUT', '{a}1', 'one');
      await through.zadd('{a}z', 1, 'member');
      assert.deepEqual(await through.call('FETCH_ALL', '{a}1', '{a}none'), ['one', null]);
      assert.deepEqual(await through.call('UNITE', '1', '{a}z'), ['member']);
      assert.match(String(await answerOf(through.call('FETCH_ALL', 'a', 'b'))), /CROSSSLOT/);
    });
    await t.test('one that waits holds up nobody else', async () => {
      const waiting = client(t, port);
      const answer = waiting.call('AWAIT', 'list', '5');
      await through.rpush('list', 'value');
      assert.deepEqual(await answer, ['list', 'value']);
    });
    await t.test('in a transaction', async () => {
      const answers = await through.multi().call('JSON.PUT', 'in', 'side').call('FETCH', 'in').exec();
      assert.deepEqual(
        answers?.map(([, value]) => value),
        ['OK', 'side'],
      );
    });
    await t.test('what Redis does not know either is an error, and ends a transaction', async () => {
      assert.match(
        String(await answerOf(through.call('NOSUCH', 'a'))),
        /unknown command 'NOSUCH', with args/,
      );
      await through.call('MULTI');
      await answerOf(through.call('NOSUCH'));
      assert.match(String(await answerOf(through.call('EXEC'))), /EXECABORT/);
    });
    await t.test('a known command under another name keeps what it is', async () => {
      assert.match(String(await answerOf(through.call('WIPE'))), /it is flushall under another name/);
    });
    await t.test('where COMMAND is denied it is refused, and says why', async () => {
      for (const node of cluster.nodes) await node.client.call('ACL', 'SETUSER', 'default', '-command');
      const [fresh = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'REPLICA')));
      const answer = String(await answerOf(client(t, fresh).call('FETCH', 'key:1')));
      assert.match(
        answer,
        /'FETCH' is not carried out by this proxy: Redis does not let the proxy ask.*NOPERM/,
      );
    });
  });
}
