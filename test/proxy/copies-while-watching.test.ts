import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answer, aServer, copied } from './mirrored.ts';
import { clusterThat } from './scripted-cluster.ts';

test('what is asked between WATCH and MULTI is copied, in the order of the client', async (t) => {
  const asked = [
    'SET k 0',
    'WATCH k',
    'GET k',
    'SET k 1',
    'PUBLISH c x',
    'MULTI',
    'SET k 2',
    'EXEC',
    'SET k 3',
  ];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  const wanted = asked.filter((words) => !/^(?:WATCH|MULTI|EXEC)/.test(words));
  assert.deepEqual(copies, [wanted]);
});

test('of what is asked between WATCH and MULTI a mirror of writes gets the writes', async (t) => {
  const asked = ['WATCH k', 'GET k', 'SET k 1', 'MGET k k', 'UNWATCH'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false, excludeReads: true });
  assert.deepEqual(copies, [['SET k 1']]);
});

test('keys that are together where they are watched, or in a transaction, are copied in parts', async (t) => {
  // Of a and b the mirror has each in another shard.
  const asked = ['WATCH a', 'MSET a 1 b 2', 'MULTI', 'DEL a b', 'EXEC'];
  const { copies } = await copied(t, await aServer(t), asked);
  assert.deepEqual(copies, [['mset b 2', 'del b'], ['mset a 1', 'del a'], []]);
});

test('what has no key is copied with its transaction, in its order', async (t) => {
  const asked = ['MULTI', 'PUBLISH c x', 'FLUSHALL', 'SET k 1', 'EVAL code 0', 'INFO', 'PING', 'EXEC'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  assert.deepEqual(copies, [['PUBLISH c x', 'FLUSHALL', 'SET k 1', 'EVAL code 0']]);
});

test('what has no key is copied of a transaction without any', async (t) => {
  const { copies } = await copied(t, await aServer(t), ['MULTI', 'FLUSHALL', 'EXEC']);
  assert.deepEqual(copies, [['FLUSHALL'], ['FLUSHALL'], []]);
});

test('of a discarded transaction nothing is copied', async (t) => {
  const { copies } = await copied(t, await aServer(t), ['MULTI', 'FLUSHALL', 'SET k 1', 'DISCARD']);
  assert.deepEqual(copies.flat(), []);
});

test('of a cluster FLUSHALL in a transaction concerns one shard, at a mirror that is one, too', async (t) => {
  const cluster = await clusterThat(t, 2, answer);
  cluster.slots = [
    [0, 10_000, 0],
    [10_001, 16_383, 1],
  ];
  const { copies } = await copied(t, cluster.plan(), ['MULTI', 'FLUSHALL', 'SET a 1', 'EXEC']);
  assert.deepEqual(copies, [[], ['FLUSHALL', 'SET a 1'], []]);
});
