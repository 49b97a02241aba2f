import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { EnvoyFilterDocument } from '../../src/istio/envoy-filter.ts';
import type { EnvoyFilters } from '../../src/istio/envoy-filters.ts';
import { ClusterRetention, type PresentSpec, type Retained } from '../../src/istio/retention.ts';
import { redisDestination, redisService, service } from '../plan/objects.ts';
import { filtersOf } from './plans.ts';

const KEY = 'redis/redpilot-redis-cluster';
const DRAIN_MS = 1_000;

/** What is wanted while the object routes to these hosts. */
function routingTo(...hosts: readonly string[]): EnvoyFilters {
  const rules = hosts.map((host, at) => ({
    prefix: at === 0 ? '' : `${host}:`,
    removePrefix: false,
    host,
    port: undefined,
    reads: undefined,
    mirrors: [],
  }));
  return filtersOf([
    redisService({ hosts: ['a'], rules }),
    ...['a', 'b', 'c'].flatMap((name, at) => [
      service({ name, hasSelector: true, clusterIps: [`10.96.0.${at + 1}`] }),
      redisDestination({ name, host: name, mode: 'CLUSTER' }),
    ]),
  ]);
}

const NOTHING: EnvoyFilters = { write: [], keep: [], diagnostics: [] };

/** A cluster with one EnvoyFilter: written as it is wanted, unless the test does otherwise. */
class Mesh {
  readonly retention = new ClusterRetention({ drainMs: DRAIN_MS, priority: 10 });
  there: ReadonlyMap<string, PresentSpec> = new Map();

  look(filters: EnvoyFilters, nowMs: number): Retained {
    return this.retention.follow(filters, this.there, nowMs);
  }

  /** And writes what comes of it. */
  follow(filters: EnvoyFilters, nowMs: number): Retained {
    const retained = this.look(filters, nowMs);
    this.there = new Map(
      retained.filters.write.map((document) => [
        `${document.namespace}/${document.name}`,
        { owner: 'redis/redis-cluster', spec: document.body.spec },
      ]),
    );
    return retained;
  }
}

/** Kinds of patches, clusters by their host. */
function shortly(document: EnvoyFilterDocument | undefined): readonly string[] {
  const all = (document?.body.spec.configPatches ?? []).map(({ applyTo, patch }) =>
    applyTo === 'CLUSTER'
      ? (/\|([a-z]+)\.redis\.svc/.exec((patch.value as { name: string }).name)?.[1] ?? '')
      : applyTo.toLowerCase(),
  );
  return [...new Set(all)].sort();
}

test('what is wanted is handed on as it is', () => {
  const filters = routingTo('a', 'b');
  const { filters: retained, untilMs } = new Mesh().follow(filters, 0);
  assert.equal(retained.write[0], filters.write[0]);
  assert.equal(untilMs, undefined);
});

test('a cluster that nothing routes to any more stays until connections are drained', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a', 'b'), 0);
  const first = mesh.follow(routingTo('a'), 10);
  assert.deepEqual(shortly(first.filters.write[0]), ['a', 'b', 'network_filter']);
  // Only now does the EnvoyFilter that is there route to it no more.
  assert.equal(mesh.follow(routingTo('a'), 20).untilMs, 20 + DRAIN_MS);
  assert.deepEqual(shortly(mesh.follow(routingTo('a'), 19 + DRAIN_MS).filters.write[0]), [
    'a',
    'b',
    'network_filter',
  ]);
  const last = mesh.follow(routingTo('a'), 20 + DRAIN_MS);
  assert.deepEqual(shortly(last.filters.write[0]), ['a', 'network_filter']);
  assert.equal(last.untilMs, undefined);
});

test('time does not run while the change can not be written', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a', 'b'), 0);
  for (const nowMs of [10, 10 * DRAIN_MS]) {
    const { filters } = mesh.look(routingTo('a'), nowMs);
    assert.deepEqual(shortly(filters.write[0]), ['a', 'b', 'network_filter']);
  }
});

test('a cluster that is routed to again is drained anew the next time', () => {
  const mesh = new Mesh();
  for (const [nowMs, hosts] of [
    [0, ['a', 'b']],
    [10, ['a']],
    [20, ['a']],
    [500, ['a', 'b']],
    [510, ['a']],
  ] as const) {
    mesh.follow(routingTo(...hosts), nowMs);
  }
  assert.equal(mesh.follow(routingTo('a'), 520).untilMs, 520 + DRAIN_MS);
});

test('an EnvoyFilter that is no longer wanted is left with its clusters, and goes when they are drained', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a', 'b'), 0);
  const [farewell] = mesh.follow(NOTHING, 10).filters.write;
  assert.deepEqual(shortly(farewell), ['a', 'b']);
  assert.equal(farewell?.outlivesOwner, true);
  assert.deepEqual(farewell.owner, { kind: 'RedisService', namespace: 'redis', name: 'redis-cluster' });
  assert.equal(mesh.follow(NOTHING, 20).filters.write.length, 1);
  assert.deepEqual(mesh.follow(NOTHING, 20 + DRAIN_MS).filters.write, []);
});

test('one that somebody else has removed is written once more, with its clusters', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a'), 0);
  mesh.look(routingTo('a'), 5);
  mesh.there = new Map();
  assert.deepEqual(shortly(mesh.follow(NOTHING, 10).filters.write[0]), ['a']);
  assert.deepEqual(mesh.follow(NOTHING, 10 + DRAIN_MS).filters.write, []);
});

test('one that was wanted but never there leaves nothing', () => {
  const mesh = new Mesh();
  mesh.look(routingTo('a'), 0);
  assert.deepEqual(mesh.look(NOTHING, 10).filters.write, []);
});

test('a control plane that has just started drains what it finds', () => {
  const before = new Mesh();
  before.follow(routingTo('a'), 0);
  const mesh = new Mesh();
  mesh.there = before.there;
  assert.deepEqual(shortly(mesh.follow(NOTHING, 10).filters.write[0]), ['a']);
});

test('an EnvoyFilter that is to stay as it is is not touched', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a', 'b'), 0);
  const [namespace = '', name = ''] = KEY.split('/');
  const owner = { kind: 'RedisService', namespace, name: 'redis-cluster' };
  const filters = { ...NOTHING, keep: [{ namespace, name, owner, why: 'a test' }] };
  assert.deepEqual(mesh.look(filters, 10).filters.write, []);
  assert.equal(mesh.there.has(KEY), true);
});

test('what somebody else wrote into one of ours is not kept', () => {
  const mesh = new Mesh();
  mesh.follow(routingTo('a'), 0);
  const spec = structuredClone(mesh.there.get(KEY)?.spec) as { configPatches: object[] };
  spec.configPatches.push(
    { applyTo: 'CLUSTER', patch: { operation: 'ADD', value: { name: 'theirs' } } },
    { applyTo: 'CLUSTER', patch: { operation: 'MERGE', value: { name: 'redpilot|x' } } },
    { applyTo: 'LISTENER', patch: { operation: 'ADD', value: { name: 'theirs' } } },
  );
  mesh.there = new Map([[KEY, { owner: 'redis/redis-cluster', spec }]]);
  const filters = routingTo('a');
  assert.equal(mesh.look(filters, 10).filters.write[0], filters.write[0]);
});
