import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import type { ReadsUpstream } from '../../src/plan/routing-plan.ts';
import { deskWith as deskOf, type Desk } from './desk.ts';
import { redisDestination, redisService, rule, service, slice } from './objects.ts';

const primary = [service({ name: 'primary' }), slice(['10.0.0.1'], { serviceName: 'primary' })];
const replicas = [
  service({ name: 'replicas' }),
  slice(['10.0.0.2', '10.0.0.3'], { serviceName: 'replicas' }),
];

function routing(readPolicy: ReadPolicy): ReturnType<typeof redisService> {
  return redisService({
    hosts: ['primary'],
    readPolicy,
    rules: [rule({ host: 'primary', reads: { host: 'replicas', port: undefined } })],
  });
}

function deskWith(readPolicy: ReadPolicy): Desk {
  return deskOf(routing(readPolicy), ...primary, ...replicas);
}

function readsOf(desk: Desk): ReadsUpstream | undefined {
  const id = desk.listener()?.routes.catchAll?.reads;
  return desk.planner
    .plans()
    .flatMap(({ upstreams }) => upstreams)
    .find((upstream) => upstream.mode === 'reads' && upstream.id === id) as ReadsUpstream | undefined;
}

const addresses = (upstream: ReadsUpstream | undefined): unknown =>
  upstream?.groups.map((group) =>
    group.flatMap((servers) =>
      servers.kind === 'dns' ? [] : servers.endpoints.map(({ address }) => address),
    ),
  );

const groups: [policy: ReadPolicy, expected: unknown][] = [
  ['MASTER', undefined],
  ['PREFER_MASTER', [['10.0.0.1'], ['10.0.0.2', '10.0.0.3']]],
  ['REPLICA', [['10.0.0.2', '10.0.0.3']]],
  ['PREFER_REPLICA', [['10.0.0.2', '10.0.0.3'], ['10.0.0.1']]],
  ['ANY', [['10.0.0.1', '10.0.0.2', '10.0.0.3']]],
];
for (const [policy, expected] of groups) {
  test(`${policy} reads from ${JSON.stringify(expected) ?? 'where writes go'}`, () => {
    assert.deepEqual(addresses(readsOf(deskWith(policy))), expected);
  });
}

test('another policy is another upstream for reads, and the one for writes stays the same object', () => {
  const desk = deskWith('REPLICA');
  const [writes, reads] = [desk.upstream('primary.redis.svc.cluster.local:6379'), readsOf(desk)];
  desk.put(routing('ANY'));
  assert.equal(desk.upstream('primary.redis.svc.cluster.local:6379'), writes);
  assert.notEqual(readsOf(desk)?.id, reads?.id);
});

test('a replica that comes changes the upstream for reads alone', () => {
  const desk = deskWith('REPLICA');
  const [writes, listener] = [desk.upstream('primary.redis.svc.cluster.local:6379'), desk.listener()];
  desk.put(slice(['10.0.0.2', '10.0.0.3', '10.0.0.4'], { serviceName: 'replicas' }));
  assert.equal(desk.upstream('primary.redis.svc.cluster.local:6379'), writes);
  assert.equal(desk.listener(), listener);
  assert.deepEqual(addresses(readsOf(desk)), [['10.0.0.2', '10.0.0.3', '10.0.0.4']]);
});

test('replicas are reached as their primary is, unless something of their own says otherwise', () => {
  const desk = deskWith('REPLICA');
  const auth = (password: string): { kind: 'plain'; username: undefined; password: SecretText } => ({
    kind: 'plain',
    username: undefined,
    password: new SecretText(password),
  });
  desk.put(redisDestination({ name: 'primary', host: 'primary', auth: auth('shared') }));
  assert.equal(readsOf(desk)?.credentials?.password.reveal(), 'shared');
  desk.put(redisDestination({ name: 'replicas', host: 'replicas', auth: auth('own') }));
  assert.equal(readsOf(desk)?.credentials?.password.reveal(), 'own');
});

test('a second endpoint of the primary is an error, and what was good stays', () => {
  const desk = deskWith('REPLICA');
  const before = desk.listener();
  desk.put(slice(['10.0.0.1', '10.0.0.9'], { serviceName: 'primary' }));
  assert.equal(desk.listener(), before);
  assert.ok(desk.reasons().includes('warning LastGoodKept'));
});
