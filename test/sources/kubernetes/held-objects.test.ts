import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeldObjects } from '../../../src/sources/kubernetes/held-objects.ts';
import type { RawObject } from '../../../src/sources/kubernetes/reflector.ts';

interface Parts {
  readonly uid?: string;
  readonly generation?: number;
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly lastApplied?: unknown;
}

const GOOD = { host: ['redis'], settings: { readPolicy: 'REPLICA' } };
const BAD = { host: ['redis'], settings: { readPolicy: 'REPLICAS' } };

function service({ uid = 'u', generation = 1, spec = GOOD, status, lastApplied }: Parts = {}): RawObject {
  const annotations =
    lastApplied === undefined
      ? {}
      : { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(lastApplied) };
  return {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata: { name: 'cache', namespace: 'redis', uid, generation, annotations },
    spec,
    status,
  } as RawObject;
}

function policyOf(held: HeldObjects): unknown {
  return [...held.objects()].map((object) => (object.kind === 'RedisService' ? object.readPolicy : ''));
}

test('a bad version keeps the last good one in force, and says both', () => {
  const held = new HeldObjects();
  held.set('RedisService', service());
  held.take();
  held.set('RedisService', service({ generation: 2, spec: BAD }));
  assert.deepEqual(held.take(), { set: [], deleted: [] });
  assert.deepEqual(policyOf(held), ['REPLICA']);
  assert.deepEqual(
    held.diagnostics().map(({ reason }) => reason),
    ['InvalidValue', 'LastGoodKept'],
  );
});

test('an object of the same name made anew does not inherit the last good version', () => {
  const held = new HeldObjects();
  held.set('RedisService', service());
  held.take();
  held.set('RedisService', service({ uid: 'another', spec: BAD }));
  assert.deepEqual(held.take().deleted, [{ kind: 'RedisService', namespace: 'redis', name: 'cache' }]);
});

test('our own write of the status changes no object, and is remembered', () => {
  const held = new HeldObjects();
  held.set('RedisService', service());
  held.take();
  held.set('RedisService', service({ status: { conditions: [] } }));
  assert.deepEqual(held.take(), { set: [], deleted: [] });
  assert.deepEqual(
    [...held.own()].map(({ status }) => status),
    [{ conditions: [] }],
  );
});

test('a list takes away what is not in it, in its namespace only', () => {
  const held = new HeldObjects();
  held.set('RedisService', service());
  held.take();
  held.replace('RedisService', 'other', []);
  assert.deepEqual(held.take().deleted, []);
  held.replace('RedisService', undefined, []);
  assert.equal(held.take().deleted.length, 1);
});

test('what the API server dropped is told from the annotation of kubectl', () => {
  const held = new HeldObjects();
  const { metadata } = service();
  const lastApplied = {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata,
    spec: { host: ['redis'], settings: { readpolicy: 'REPLICA' } },
  };
  held.set('RedisService', service({ spec: { host: ['redis'], settings: {} }, lastApplied }));
  const [diagnostic] = held.diagnostics();
  assert.equal(diagnostic?.reason, 'FieldDropped');
  assert.deepEqual(diagnostic.path, ['spec', 'settings', 'readpolicy']);
  assert.match(diagnostic.message, /write readPolicy/);
});

test('what was remembered over a restart is the last good version of what is refused now', () => {
  const held = new HeldObjects();
  held.set('RedisService', service({ generation: 2, spec: BAD }));
  const recalled = held.recall([service()]);
  assert.equal(recalled.length, 1);
  assert.deepEqual(policyOf(held), ['REPLICA']);
  assert.deepEqual(
    held.diagnostics().map(({ reason }) => reason),
    ['InvalidValue', 'LastGoodKept'],
  );
});

test('what was remembered of an object that is gone, or another one now, is nothing', () => {
  const held = new HeldObjects();
  assert.deepEqual(held.recall([service()]), []);
  held.set('RedisService', service({ uid: 'another', spec: BAD }));
  assert.deepEqual(held.recall([service()]), []);
  assert.deepEqual(policyOf(held), []);
});

test('a Service that an object was good with is recalled, whatever has its name now', () => {
  const held = new HeldObjects();
  const named = (name: string): RawObject => {
    const spec = { ports: [{ name, port: 7_000 }] };
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'cache', namespace: 'redis' },
      spec,
    } as RawObject;
  };
  held.set('Service', named('http'));
  const [recalled] = held.recall([named('redis')]);
  assert.deepEqual(recalled?.kind === 'Service' && recalled.ports.map(({ name }) => name), ['redis']);
  const inForce = held.inForce({ kind: 'Service', namespace: 'redis', name: 'cache' });
  assert.deepEqual(inForce?.kind === 'Service' && inForce.ports.map(({ name }) => name), ['http']);
});

test('a RedisDestination that was never good stands in for itself where it asks for TLS, until it is mended', () => {
  const held = new HeldObjects();
  const destination = (generation: number, mode: string): RawObject =>
    ({
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind: 'RedisDestination',
      metadata: { name: 'cache', namespace: 'redis', uid: 'u', generation },
      spec: { host: 'redis', trafficPolicy: { tls: { mode } } },
    }) as RawObject;
  const refused = (): unknown =>
    [...held.objects()].map((object) => object.kind === 'RedisDestination' && object.refused !== undefined);
  const reasons = (): unknown => held.diagnostics().map(({ reason }) => reason);
  held.set('RedisDestination', destination(1, 'MUTAUL'));
  held.set('RedisDestination', destination(2, 'SIMPEL'));
  assert.deepEqual(refused(), [true]);
  assert.deepEqual(reasons(), ['InvalidValue']);
  assert.equal(held.recall([destination(0, 'SIMPLE')]).length, 1);
  assert.deepEqual(refused(), [false]);
  assert.deepEqual(reasons(), ['InvalidValue', 'LastGoodKept']);
  held.set('RedisDestination', destination(3, 'SIMPLE'));
  assert.deepEqual(reasons(), []);
});
