import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from '../e2e/environment.ts';

test('a cluster of which one node can not be started fails, and leaves no process of the others', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  let nodes = 0;
  const started = RedisCluster.start({
    redis,
    configOf: (): Record<string, string> => (nodes++ === 0 ? { 'no-such-directive': 'yes' } : {}),
  });
  await assert.rejects(started, /no-such-directive/);
  assert.equal(nodes, 9);
  assert.deepEqual(
    process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap'),
    [],
  );
});
