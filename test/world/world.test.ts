import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PersistentMap } from '../../src/world/persistent-map.ts';
import { World, objectKey, routersKey, slicesKey } from '../../src/world/world.ts';
import { redisService, rule, service, slice } from '../plan/objects.ts';

const empty = World.empty({ clusterDomain: 'cluster.local' });

test('a change leaves the World it was made from as it was', () => {
  const { world } = empty.apply({ set: [service()], deleted: [] });
  world.apply({ set: [], deleted: [service()] });
  assert.equal(world.size, 1);
  assert.equal(empty.size, 0);
});

test('a change names the object and every index that lists it', () => {
  const { changed } = empty.apply({
    set: [redisService({ rules: [rule({ host: 'a' }), rule({ host: 'b.shop' })] })],
    deleted: [],
  });
  assert.deepEqual([...changed].sort(), [
    'RedisService/redis/redis-cluster',
    'namespace/redis',
    'routers/a.redis.svc.cluster.local',
    'routers/b.shop.svc.cluster.local',
  ]);
});

test('setting the object that is there already changes nothing', () => {
  const object = service();
  const { world } = empty.apply({ set: [object], deleted: [] });
  assert.equal(world.apply({ set: [object], deleted: [] }).changed.size, 0);
});

test('an object that names another host is listed there and no longer at the old one', () => {
  const { world } = empty.apply({ set: [redisService({ hosts: ['a'] })], deleted: [] });
  const moved = world.apply({ set: [redisService({ hosts: ['b'] })], deleted: [] }).world;
  assert.equal(moved.list(routersKey('a.redis.svc.cluster.local')).length, 0);
  assert.equal(moved.list(routersKey('b.redis.svc.cluster.local')).length, 1);
});

test('lists stand in the order of names, whoever came first', () => {
  const [a, b] = [slice([], { name: 'a' }), slice([], { name: 'b' })];
  const key = slicesKey('redis', 'redis-cluster');
  for (const set of [
    [a, b],
    [b, a],
  ]) {
    assert.deepEqual(empty.apply({ set, deleted: [] }).world.list(key), [a, b]);
  }
});

test('of several namespaces they stand in the order of these', () => {
  const [a, b] = ['a', 'b'].map((namespace) => redisService({ namespace, hosts: ['x.shop'] }));
  for (const set of [
    [a!, b!],
    [b!, a!],
  ]) {
    const { world } = empty.apply({ set, deleted: [] });
    assert.deepEqual(world.list(routersKey('x.shop.svc.cluster.local')), [a, b]);
  }
});

test('what goes and comes in one change is there, and so is its namespace', () => {
  const { world } = empty.apply({ set: [redisService({ hosts: ['a'] })], deleted: [] });
  const next = redisService({ hosts: ['b'] });
  const after = world.apply({ set: [next], deleted: [next] });
  assert.equal(after.world.hasNamespace('redis'), true);
  assert.equal(after.changed.has('namespace/redis'), false);
  assert.deepEqual(after.world.list(routersKey('a.redis.svc.cluster.local')), []);
  assert.deepEqual(after.world.list(routersKey('b.redis.svc.cluster.local')), [next]);
});

test('the same count of replacements again changes nothing, none where there was none neither', () => {
  const once = { set: [], deleted: [], generations: new Map([['host:6379', 1]]) };
  const { world, changed } = empty.apply(once);
  assert.equal(changed.size, 1);
  assert.equal(world.apply(once).changed.size, 0);
  assert.equal(empty.apply({ ...once, generations: new Map([['host:6379', 0]]) }).changed.size, 0);
});

test('a namespace is there as long as an object is in it', () => {
  const one = empty.apply({ set: [service({ name: 'x' }), service({ name: 'y' })], deleted: [] }).world;
  const half = one.apply({ set: [], deleted: [service({ name: 'x' })] });
  assert.equal(half.world.hasNamespace('redis'), true);
  assert.equal(half.changed.has('namespace/redis'), false);
  const none = half.world.apply({ set: [], deleted: [service({ name: 'y' })] });
  assert.equal(none.world.hasNamespace('redis'), false);
  assert.equal(none.changed.has('namespace/redis'), true);
});

test('deleting what is not there changes nothing', () => {
  assert.equal(empty.apply({ set: [], deleted: [service()] }).changed.size, 0);
});

test('a persistent map agrees with a plain one over a thousand random changes', () => {
  let map = PersistentMap.empty<number>();
  const earlier: { readonly map: PersistentMap<number>; readonly plain: ReadonlyMap<string, number> }[] = [];
  const plain = new Map<string, number>();
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed % below;
  };
  for (let step = 0; step < 1_000; step++) {
    const key = objectKey('Service', 'ns', `s${random(200)}`);
    const value = random(3) === 0 ? undefined : step;
    if (value === undefined) plain.delete(key);
    else plain.set(key, value);
    map = map.with(new Map([[key, value]]));
    assert.equal(map.get(key), plain.get(key));
    assert.equal(map.size, plain.size);
    if (step % 100 === 99) earlier.push({ map, plain: new Map(plain) });
  }
  const ordered = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
  // The last of them, and those before as they were.
  for (const then of earlier) assert.deepEqual(ordered(then.map.values()), ordered(then.plain.values()));
});
