import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { answer, aServer, copied, knowsAll, mirrored } from './mirrored.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('what has waited is copied as what it did, in the order of the client', async (t) => {
  const asked = ['RPUSH k v', 'BLPOP j k 0', 'SET j 1'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  assert.deepEqual(copies, [['RPUSH k v', 'LPOP k', 'SET j 1']]);
});

test('what has waited for nothing is not copied', async (t) => {
  const { copies } = await copied(t, await aServer(t), ['BRPOPLPUSH a b 1'], { isOfCluster: false });
  assert.deepEqual(copies, [[]]);
});

test('what may wait is copied with its transaction, without waiting', async (t) => {
  const asked = ['MULTI', 'BLPOP k 0', 'XREAD BLOCK 0 STREAMS k 0', 'EXEC'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  assert.deepEqual(copies, [['LPOP k', 'XREAD STREAMS k 0']]);
});

test('what has waited is copied to what its mirror is by then, and not to one that is none any more', async (t) => {
  for (const isMirrored of [true, false]) {
    let answerNow = (): void => {};
    const main = await serverThat(t, (words, socket) => {
      if (!words.startsWith('BLPOP')) return '+OK\r\n';
      answerNow = () => void socket.write('*2\r\n$1\r\nk\r\n$1\r\nv\r\n');
      return undefined;
    });
    const mirror = await serverThat(t, () => '+OK\r\n');
    const plan = (): RoutingPlan => mirrored(planTo(main.port), planTo(mirror.port));
    const before = plan();
    const { port, proxy } = await proxyFor(t, before);
    const client = clientOf(t, port);
    client.socket.write('BLPOP k 0\r\nSET last 1\r\n');
    await eventually('somebody waiting', () => main.asked.includes('BLPOP k 0') || undefined);
    const { bind } = before.listeners[0]!;
    const next = isMirrored ? plan() : planTo(main.port);
    await proxy.update({ ...next, listeners: next.listeners.map((each) => ({ ...each, bind })) });
    answerNow();
    await eventually('the reply behind it', () => client.got().endsWith('+OK\r\n') || undefined);
    const wanted = isMirrored ? ['LPOP k', 'SET last 1'] : [];
    const copies = (): readonly string[] => mirror.asked.filter((words) => /^(?:LPOP|SET)/.test(words));
    await eventually('the copies', () => copies().length >= wanted.length || undefined);
    assert.deepEqual(copies(), wanted);
  }
});

test('what has waited on a listener that is removed connects nobody to its former mirror again', async (t) => {
  let answerNow = (): void => {};
  const main = await serverThat(t, (words, socket) => {
    if (!words.startsWith('BLPOP')) return '+OK\r\n';
    answerNow = () => void socket.write('*2\r\n$1\r\nk\r\n$1\r\nv\r\n');
    return undefined;
  });
  const cluster = await clusterThat(t, 1, answer);
  const [mirror = assert.fail()] = cluster.nodes;
  const plan = mirrored(planTo(main.port), cluster.plan());
  const { port, proxy } = await proxyFor(t, plan, { drainMs: 60_000 });
  await knowsAll(proxy);
  const client = clientOf(t, port);
  client.socket.write('BLPOP k 0\r\n');
  await eventually('somebody waiting', () => main.asked.includes('BLPOP k 0') || undefined);
  await proxy.update({ upstreams: new Map(), listeners: [] });
  await eventually('nobody at the mirror', () => mirror.sockets.size === 0 || undefined);
  answerNow();
  await eventually('the reply', () => client.got().endsWith('v\r\n') || undefined);
  // Whoever had connected before is served before.
  const probe = clientOf(t, mirror.port);
  probe.socket.write('*1\r\n$4\r\nPING\r\n');
  await eventually('an answer', () => probe.got() !== '' || undefined);
  assert.equal(mirror.sockets.size, 1);
});
