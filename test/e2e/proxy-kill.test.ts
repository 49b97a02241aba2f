import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import type { Listener } from '../../src/plan/routing-plan.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { answerOf } from './sidecar.ts';

for (const [what, run, kill] of [
  ['script', 'EVAL', 'SCRIPT'],
  ['function', 'FCALL', 'FUNCTION'],
] as const) {
  test(`a ${what} that does not end is killed through the proxy`, async (t) => {
    const nodes = await startServers(t, 1);
    const [node] = nodes ?? [];
    if (nodes === undefined || node === undefined) return;
    const busyAfterMs = 100;
    await node.client.config('SET', 'lua-time-limit', String(busyAfterMs));
    // By the time that it is busy, it is silent for the proxy.
    const settings = { hedgeAfterMs: busyAfterMs / 2, failoverWaitMs: 30_000 };
    const port = await startListener(t, [servers('redis', nodes)], () => catchAll('redis'), settings);
    const [one, other] = [client(t, port), client(t, port)];
    const endless = 'while true do end';
    const library = `#!lua name=lib\nredis.register_function('f', function() ${endless} end)`;
    if (run === 'FCALL') await other.call('FUNCTION', 'LOAD', library);
    const running = answerOf(one.call(run, run === 'FCALL' ? 'f' : endless, 0));
    await eventually('its being busy', async () =>
      String(await answerOf(node.client.get('key'))).startsWith('BUSY') ? true : undefined,
    );
    assert.equal(await answerOf(other.call(kill, 'KILL')), 'OK');
    assert.match(String(await running), /killed by user/);
  });
}

test('who writes while a script does not end is told so by Redis, and served once it is killed', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (nodes === undefined || node === undefined) return;
  await node.client.config('SET', 'lua-time-limit', '100');
  const settings = { hedgeAfterMs: 100, failoverWaitMs: 1_000 };
  const change = (): Partial<Listener> => ({ ...catchAll('redis'), opTimeoutMs: 60_000 });
  const port = await startListener(t, [servers('redis', nodes)], change, settings);
  const [one, other] = [client(t, port), client(t, port)];
  await other.set('k', 'before');
  const running = answerOf(one.call('EVAL', 'while true do end', 0));
  await eventually('its being busy', async () =>
    String(await answerOf(node.client.get('key'))).startsWith('BUSY') ? true : undefined,
  );
  const said: string[] = [];
  const write = async (): Promise<void> => {
    said.push(String(await answerOf(client(t, port).set('other', 'v'))));
  };
  await eventually(
    'its words',
    () => {
      void write();
      return said.some((words) => /^BUSY \w+ is busy/.test(words)) || undefined;
    },
    { everyMs: 300, seen: () => said.join() },
  );
  assert.equal(await answerOf(other.call('SCRIPT', 'KILL')), 'OK');
  assert.match(String(await running), /killed by user/);
  assert.equal(await other.set('k', 'after'), 'OK');
  assert.equal(await node.client.get('k'), 'after');
});

test('a script that does not end at a replica is killed through the proxy', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const config = { 'lua-time-limit': '100' };
  const cluster = await RedisCluster.start({ redis, replicas: 1, config });
  t.after(() => cluster.stop());
  const proxy = await startProxy(t, clusterPlan(cluster, 'REPLICA'), { failoverWaitMs: 30_000 });
  const [port = 0] = portsOf(proxy);
  const [one, other] = [client(t, port), client(t, port)];
  assert.match(String(await answerOf(other.call('SCRIPT', 'KILL'))), /^NOTBUSY/);
  const running = answerOf(one.call('EVAL_RO', 'while true do end', 1, 'k'));
  await eventually('a replica being busy', () => {
    const { nodes = [] } = proxy.status()[0] ?? {};
    return nodes.some(({ role, state }) => role === 'replica' && state.startsWith('BUSY')) || undefined;
  });
  assert.equal(await answerOf(other.call('SCRIPT', 'KILL')), 'OK');
  assert.match(String(await running), /killed by user/);
});
