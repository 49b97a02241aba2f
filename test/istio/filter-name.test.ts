import assert from 'node:assert/strict';
import { test } from 'node:test';

import { filterName } from '../../src/istio/filter-name.ts';

const owner = (namespace: string, name: string) => ({ kind: 'RedisService', namespace, name });
const LONG = 'a'.repeat(253);

test("the EnvoyFilter of an object's own namespace has its name", () => {
  assert.equal(filterName(owner('redis', 'orders'), 'redis'), 'redpilot-orders');
});

test('in another namespace it has the name of both', () => {
  assert.equal(filterName(owner('redis', 'orders'), 'shop'), 'redpilot.redis.orders');
});

test('the longest names are as long as Kubernetes lets them be, and names', () => {
  for (const namespace of ['redis', 'shop']) {
    const name = filterName(owner('redis', LONG), namespace);
    assert.ok(name.length <= 253);
    assert.match(name, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  }
});

test('a name that is cut ends as names do', () => {
  const name = filterName(owner('redis', `${'a'.repeat(210)}-.${'b'.repeat(41)}`), 'redis');
  assert.match(name, /[a-z0-9]$/);
});

test('no two objects share a name in a namespace, whatever they are called', () => {
  const names = [
    owner('shop', 'redis.orders'),
    owner('shop', 'orders'),
    owner('redis', 'orders'),
    owner('redis', 'shop.orders'),
    owner('pay', LONG),
    owner('redis', LONG),
    owner('shop', LONG),
    owner('shop', `${LONG.slice(0, 252)}b`),
  ].map((one) => filterName(one, 'shop'));
  assert.equal(new Set(names).size, names.length);
});
