import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loopbackAddress } from '../../src/plan/loopback-address.ts';

test('an address follows from the name alone, so that every node and every restart gives the same', () => {
  assert.equal(loopbackAddress('redis-cluster.redis.svc.cluster.local'), '127.181.153.86');
});

test('names that differ in a digit are far apart, and nobody gets an address that others use', () => {
  const addresses = Array.from({ length: 2_000 }, (_, at) => loopbackAddress(`redis-${at}.redis`));
  for (const address of addresses)
    assert.match(address, /^127\.(?!0\.)(?!255\.)\d+\.\d+\.(?!0$)(?!255$)\d+$/);
  assert.ok(new Set(addresses).size > 1_995);
  assert.ok(new Set(addresses.map((address) => address.split('.')[1])).size > 200);
});

test('a further attempt gives another address', () => {
  assert.notEqual(loopbackAddress('a', 1), loopbackAddress('a', 0));
});
