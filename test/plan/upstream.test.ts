/** What an upstream is made of: its Service, EndpointSlices, Secrets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Tls } from '../../src/api/objects.ts';
import { deskWith } from './desk.ts';
import { redisDestination, redisService, secret, service, slice } from './objects.ts';

const authorities = (name: string): Tls => ({
  mode: 'SIMPLE',
  secretName: name,
  serverName: undefined,
  insecureSkipVerify: false,
});

const SEEDS = 'seeds.redis.svc.cluster.local';

test('of a Service of both address families, endpoints of one are taken: each server once', () => {
  const desk = deskWith(
    redisService(),
    redisDestination({ mode: 'PROXY' }),
    service(),
    slice(['10.0.0.1', '10.0.0.2']),
    slice(['fd00::1', 'fd00::2'], { name: 'v6', addressType: 'IPv6' }),
  );
  const upstream = desk.upstream();
  assert.ok(upstream?.mode === 'proxy' && upstream.servers.kind === 'endpoints');
  assert.deepEqual(
    upstream.servers.endpoints.map(({ address }) => address),
    ['10.0.0.1', '10.0.0.2'],
  );
});

test('the seed of a Redis Cluster behind an ExternalName is that name', () => {
  const desk = deskWith(
    redisService(),
    redisDestination({ mode: 'CLUSTER' }),
    service({ externalName: 'redis.example.com' }),
  );
  const upstream = desk.upstream();
  assert.ok(upstream?.mode === 'cluster');
  assert.deepEqual(upstream.seeds, [{ address: 'redis.example.com', port: 6379 }]);
});

for (const [what, seed, headless, expected] of [
  ['an address', { host: '192.0.2.1', port: 7000 }, false, { address: '192.0.2.1', port: 7000 }],
  [
    'a name of DNS',
    { host: 'redis-0.redis', port: undefined },
    false,
    { address: 'redis-0.redis', port: 6379 },
  ],
  ['a Service', { host: 'seeds', port: 7000 }, false, { address: `${SEEDS}.`, port: 7000 }],
  [
    'a Service of any form',
    { host: 'Seeds.redis.svc', port: undefined },
    false,
    { address: `${SEEDS}.`, port: 6379 },
  ],
  ['a headless Service', { host: 'seeds', port: undefined }, true, { address: `${SEEDS}.`, port: 7777 }],
] as const) {
  test(`a seed that is ${what} is the same from every namespace`, () => {
    const ports = [{ name: 'redis', port: 6379, targetPort: 7777, appProtocol: undefined }];
    const desk = deskWith(
      redisService({ namespace: 'shop', hosts: ['redis-cluster.redis'], rules: [] }),
      service(),
      service({ name: 'seeds', isHeadless: headless, ports }),
      redisDestination({ mode: 'CLUSTER', discoveryEndpoints: [seed] }),
    );
    const upstream = desk.upstream();
    assert.ok(upstream?.mode === 'cluster');
    assert.deepEqual(upstream.seeds, [expected]);
  });
}

test("a headless Service's name is asked at the port of its pods, also where the Service names it only", () => {
  const ports = [{ name: 'redis', port: 6379, targetPort: undefined, appProtocol: undefined }];
  const desk = deskWith(
    redisService(),
    service({ isHeadless: true, hasSelector: true, ports }),
    redisDestination({ mode: 'CLUSTER' }),
    slice(['10.0.0.1', '10.0.0.2'], { ports: [{ name: 'redis', port: 7000 }] }),
  );
  const seeds = (): unknown => {
    const upstream = desk.upstream();
    return upstream?.mode === 'cluster' && upstream.seeds.map(({ port }) => port);
  };
  assert.deepEqual(seeds(), [7000]);
  desk.put(slice([], { ports: [] }));
  assert.deepEqual(seeds(), [6379]);
});

test('last good certificates do not serve an object that asks for another Secret', () => {
  const desk = deskWith(
    redisService(),
    service(),
    slice(['10.0.0.1']),
    redisDestination({ mode: 'CLUSTER', tls: authorities('password') }),
    // The system's authorities.
    secret({}),
  );
  assert.equal(desk.upstream()?.mode, 'cluster');
  desk.put(redisDestination({ mode: 'CLUSTER', tls: authorities('elsewhere') }));
  assert.equal(desk.upstream()?.mode, 'unavailable');
});

const HOST = 'redis-cluster.redis.svc.cluster.local:6379';
const selecting = service({ hasSelector: true });
const cluster = redisDestination({ mode: 'CLUSTER' });

test('who its servers are is told of a Redis Cluster that is reached by a name', () => {
  const desk = deskWith(redisService(), cluster, selecting, slice(['10.0.0.1', '10.0.0.2']));
  assert.deepEqual(
    [...desk.planner.takeMembers()],
    [[HOST, { host: HOST, addresses: ['10.0.0.1:6379', '10.0.0.2:6379'] }]],
  );
  desk.put(redisService({ readPolicy: 'ANY' }));
  assert.equal(desk.planner.takeMembers().size, 0);
  desk.put(slice(['10.0.0.3']));
  assert.deepEqual([...desk.planner.takeMembers()], [[HOST, { host: HOST, addresses: ['10.0.0.3:6379'] }]]);
  desk.remove(redisService());
  assert.deepEqual([...desk.planner.takeMembers()], [[HOST, undefined]]);
});

test('seeds that are the servers themselves need no telling, nor do plain servers', () => {
  const bySlices = deskWith(redisService(), cluster, service(), slice(['10.0.0.1']));
  assert.equal(bySlices.planner.takeMembers().size, 0);
  const plain = deskWith(redisService(), redisDestination({ mode: 'PROXY' }), selecting, slice(['10.0.0.1']));
  assert.equal(plain.planner.takeMembers().size, 0);
});

test('how often all servers were replaced is part of the upstream, and of no other', () => {
  const desk = deskWith(redisService(), cluster, selecting, slice(['10.0.0.1']));
  const generation = (): unknown => {
    const upstream = desk.upstream();
    return upstream?.mode === 'cluster' ? upstream.generation : 'no cluster';
  };
  const before = desk.upstream();
  desk.change({ generations: new Map([['other.redis.svc.cluster.local:6379', 1]]) });
  assert.equal(desk.upstream(), before);
  desk.change({ generations: new Map([[HOST, 1]]) });
  assert.equal(generation(), 1);
  desk.change({ generations: new Map([[HOST, 0]]) });
  assert.equal(generation(), undefined);
});

test('a Secret that may not be read is not called missing, for passwords and for certificates', () => {
  const asked = {
    kind: 'secret',
    name: 'password',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  const refused = { ...secret({}), refusal: 'RBAC forbids it' };
  for (const fields of [{ auth: asked }, { tls: authorities('password') }]) {
    const destination = redisDestination({ mode: 'CLUSTER', ...fields });
    const desk = deskWith(redisService(), service(), slice(['10.0.0.1']), destination, refused);
    assert.equal(desk.upstream()?.mode, 'unavailable');
    const told = desk.planner.diagnostics().find(({ reason }) => reason === 'SecretNotFound');
    assert.match(told?.message ?? '', /^Secret password can't be read: RBAC forbids it; grant get on it/);
  }
});
