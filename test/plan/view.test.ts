import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { loopbackAddress } from '../../src/plan/loopback-address.ts';
import { Planner } from '../../src/plan/planner.ts';
import { AUTO_BIND, isSameShape, planForView, type View, type ViewPlan } from '../../src/plan/view.ts';
import { World } from '../../src/world/world.ts';
import { deskWith } from './desk.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, rule, secret, service, slice } from './objects.ts';

const everything: View = { namespace: undefined, hosts: undefined, bindAddress: '127.0.0.1' };

function viewOf(view: Partial<View>, ...set: ApiObject[]): ViewPlan {
  const { world, changed } = World.empty({ clusterDomain: 'cluster.local' }).apply({ set, deleted: [] });
  const planner = new Planner();
  planner.update(world, changed);
  return planForView(planner.plans(), { ...everything, ...view });
}

function governing({ plan }: ViewPlan): string[] {
  return plan.listeners.map(({ listener }) => `${listener.origin.namespace}/${listener.origin.name}`);
}

const ofHost = redisService();
const ofShop = redisService({ namespace: 'shop', hosts: ['redis-cluster.redis'] });
const host = [service(), slice(['127.0.0.1'])];

const cases: [who: string, view: Partial<View>, expected: string[]][] = [
  ["a node of another namespace gets the host's own object", { namespace: 'bank' }, ['redis/redis-cluster']],
  ["a node of the object's namespace gets that one", { namespace: 'shop' }, ['shop/redis-cluster']],
  ["a node without a namespace gets the host's own object", {}, ['redis/redis-cluster']],
  ['a node that asks for another host gets nothing', { hosts: ['other.redis.svc.cluster.local'] }, []],
  [
    'a node that asks for the host gets it',
    { hosts: ['redis-cluster.redis.svc.cluster.local'] },
    ['redis/redis-cluster'],
  ],
];
for (const [who, view, expected] of cases) {
  test(who, () => assert.deepEqual(governing(viewOf(view, ofHost, ofShop, ...host)), expected));
}

test('an object of one namespace does not govern the clients of another', () => {
  assert.deepEqual(governing(viewOf({ namespace: 'bank' }, ofShop, ...host)), []);
});

test('of two hosts of one name, clients of each namespace get the one of their own', () => {
  const hosts = ['redis'];
  const older = redisService({ namespace: 'a', hosts, createdMs: 1 });
  const younger = redisService({ namespace: 'b', hosts, createdMs: 2 });
  assert.deepEqual(governing(viewOf({ namespace: 'a' }, older, younger)), ['a/redis-cluster']);
  assert.deepEqual(governing(viewOf({ namespace: 'b' }, older, younger)), ['b/redis-cluster']);
});

test('listeners listen where the view says', () => {
  const { plan } = viewOf({ bindAddress: '127.0.0.9' }, ofHost, ...host);
  assert.deepEqual(plan.listeners[0]?.bind, { address: '127.0.0.9', port: 6379 });
});

test('of two hosts on one port the older object has the address, and the other is told who', () => {
  const older = redisService({ name: 'older', hosts: ['older.localhost'], createdMs: 1 });
  const younger = redisService({ name: 'younger', hosts: ['younger.localhost'], createdMs: 2 });
  const made = viewOf({}, younger, older);
  assert.deepEqual(governing(made), ['redis/older']);
  assert.match(
    made.diagnostics[0]?.message ?? '',
    /which RedisService redis\/older has for older\.localhost:6379/,
  );
});

test('a view holds only the upstreams that its listeners route to', () => {
  const other = redisService({ name: 'other', hosts: ['other.localhost'] });
  const { plan } = viewOf({ hosts: ['other.localhost'] }, ofHost, other, ...host);
  assert.deepEqual([...plan.upstreams.keys()], ['other.localhost:6379']);
});

test('with auto each host has an address of its own, and all keep their port', () => {
  const other = redisService({ name: 'other', hosts: ['other.localhost'] });
  const { plan, diagnostics } = viewOf({ bindAddress: AUTO_BIND }, ofHost, other, ...host);
  const binds = plan.listeners.map(({ bind }) => bind);
  assert.deepEqual(
    binds.map(({ port }) => port),
    [6379, 6379],
  );
  assert.notEqual(binds[0]?.address, binds[1]?.address);
  assert.deepEqual(diagnostics, []);
});

test('hosts whose names lead to one address get two', () => {
  const [one = '', other = ''] = colliding();
  const objects = [one, other].map((name) => redisService({ name, hosts: [name] }));
  const { plan, diagnostics } = viewOf({ bindAddress: AUTO_BIND }, ...objects);
  assert.deepEqual(diagnostics, []);
  assert.equal(new Set(plan.listeners.map(({ bind }) => bind.address)).size, 2);
});

function colliding(): readonly string[] {
  const byAddress = new Map<string, string>();
  for (let at = 0; ; at++) {
    const name = `h${at}.localhost`;
    const before = byAddress.get(loopbackAddress(name));
    if (before !== undefined) return [before, name];
    byAddress.set(loopbackAddress(name), name);
  }
}

test('an annotation wins over where the node listens', () => {
  const listening = redisService({
    annotations: { ...NO_ANNOTATIONS, listen: [{ of: undefined, address: '127.0.0.5', port: 7000 }] },
  });
  for (const bindAddress of ['127.0.0.9', AUTO_BIND]) {
    const { plan } = viewOf({ bindAddress }, listening, ...host);
    assert.deepEqual(plan.listeners[0]?.bind, { address: '127.0.0.5', port: 7000 });
  }
});

const exported: [to: readonly string[], namespace: string, isSeen: boolean][] = [
  [['*'], 'bank', true],
  [['.'], 'bank', false],
  [['.'], 'redis', true],
  [['.', 'shop'], 'shop', true],
  [['shop'], 'redis', false],
];
for (const [exportTo, namespace, isSeen] of exported) {
  test(`an object exported to ${exportTo.join()} is ${isSeen ? '' : 'not '}for clients in ${namespace}`, () => {
    const object = redisService({ annotations: { ...NO_ANNOTATIONS, exportTo } });
    assert.equal(governing(viewOf({ namespace }, object, ...host)).length, isSeen ? 1 : 0);
  });
}

test('of an upstream that a kept plan shares with a current one, a view has the current one', () => {
  const auth = {
    kind: 'secret',
    name: 'password',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  const edited = { name: 'a', hosts: ['a.localhost'] };
  const desk = deskWith(
    redisService({ ...edited, rules: [rule()] }),
    redisService({ name: 'b', hosts: ['b.localhost'], rules: [rule()] }),
    redisDestination({ mode: 'CLUSTER', auth }),
    secret({ password: 'old' }),
    ...host,
  );
  const [before] = desk.planner.plans();
  // From here on it does not even ask for the upstream that its last good plan has.
  desk.put(
    redisService({ ...edited, rules: [rule({ host: 'other' })] }),
    service({ name: 'other', ports: [] }),
  );
  desk.put(secret({ password: 'new' }));
  const [kept] = desk.planner.plans();
  assert.ok(before !== undefined && kept?.isLastGood === true);
  const { plan } = planForView(desk.planner.plans(), { ...everything, bindAddress: 'auto' });
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'cluster' && plan.listeners.length === 2);
  assert.equal(upstream.credentials?.password.reveal(), 'new');
  assert.ok(!isSameShape(before, kept), 'a view can not just take over what a kept plan has');
});
