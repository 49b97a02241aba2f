import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HOSTS, NAMESPACE, viewOfNode } from '../../src/envoy/node-view.ts';

const defaults = { bindAddress: '127.0.0.1', clusterDomain: 'cluster.local' };

for (const [written, listener] of [
  ['redis', 'redis'],
  ['Redis.', 'redis'],
  ['Redis.Example.com.', 'redis.example.com'],
  ['redis', 'redis.shop.svc.cluster.local'],
  ['Redis.shop.SVC', 'redis.shop.svc.cluster.local'],
] as const) {
  test(`a node that asks for ${written} gets the listeners of ${listener}`, () => {
    const { hosts } = viewOfNode({ [NAMESPACE]: 'shop', [HOSTS]: [written] }, defaults);
    assert.ok(hosts?.includes(listener));
  });
}
