import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import type { ApiObject } from '../../src/api/objects.ts';
import { featuresUnknownTo, planWithout } from '../../src/envoy/adapted-plan.ts';
import { decode, type Messages } from '../../src/envoy/codec.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, type Resource } from '../../src/envoy/resource.ts';
import type { Snapshot } from '../../src/envoy/resource-set.ts';
import { ViewSnapshots, type NodeView } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { planForView } from '../../src/plan/view.ts';
import { World } from '../../src/world/world.ts';
import { redisDestination, redisService, service, slice } from '../plan/objects.ts';

const NAME = 'redis-cluster.redis.svc.cluster.local:6379';
const { annotations } = redisService();
const RESP3 = redisService({ annotations: { ...annotations, protocol: 'RESP3' } });
const ZONES = redisService({ readPolicy: 'ANY', annotations: { ...annotations, zoneAffinity: true } });
const PLAIN = redisService({ readPolicy: 'ANY' });

class Desk {
  readonly views = new ViewSnapshots(() => this.#planner.plans());
  readonly #planner = new Planner();
  #world = World.empty({ clusterDomain: 'cluster.local' });

  constructor(object: ApiObject) {
    this.put(object, service(), slice(['127.0.0.1']), redisDestination({ mode: 'CLUSTER' }));
  }

  put(...set: ApiObject[]): void {
    const { world, changed } = this.#world.apply({ set, deleted: [] });
    this.#world = world;
    this.#planner.update(world, changed);
    this.views.update(this.#planner.takeChanges().values());
  }

  snapshot(envoyVersion: string | undefined): Snapshot {
    const view: NodeView = { namespace: undefined, hosts: undefined, bindAddress: '127.0.0.1', envoyVersion };
    return this.views.snapshotFor(view);
  }

  /** Made anew at each call. */
  plan(envoyVersion: string): RoutingPlan {
    const view = { namespace: undefined, hosts: undefined, bindAddress: '127.0.0.1' };
    return planWithout(planForView(this.#planner.plans(), view).plan, featuresUnknownTo(envoyVersion));
  }

  told(): readonly string[] {
    return [...this.views.diagnostics().values()].flat().map(formatDiagnosticLine);
  }
}

type RedisProxy = Messages['envoy.extensions.filters.network.redis_proxy.v3.RedisProxy'];
type RedisCluster = Messages['envoy.extensions.clusters.redis.v3.RedisClusterConfig'];

function proxyOf(snapshot: Snapshot): RedisProxy {
  const listener = decode('envoy.config.listener.v3.Listener', only(snapshot, LISTENER_TYPE).bytes);
  return listener.filter_chains?.[0]?.filters?.[0]?.typed_config as RedisProxy;
}

function asksForZones(snapshot: Snapshot): boolean {
  const cluster = decode('envoy.config.cluster.v3.Cluster', only(snapshot, CLUSTER_TYPE).bytes);
  const config = cluster.cluster_type?.typed_config as RedisCluster | undefined;
  return config?.enable_zone_discovery?.value ?? false;
}

function only(snapshot: Snapshot, type: typeof LISTENER_TYPE | typeof CLUSTER_TYPE): Resource {
  const [resource] = snapshot.get(type)?.list ?? [];
  assert.ok(resource);
  return resource;
}

for (const [version, expected] of [
  ['1.36.4', 'RESP2'],
  ['1.39.3', 'RESP2'],
  ['1.40.0', 'RESP3'],
  [undefined, 'RESP3'],
] as const) {
  test(`Envoy ${version ?? 'of a version unsaid'} is sent ${expected} where RESP3 is asked for`, () => {
    assert.equal(proxyOf(new Desk(RESP3).snapshot(version)).protocol_version ?? 'RESP2', expected);
  });
}

for (const [version, policy, zones] of [
  ['1.37.0', 'ANY', false],
  ['1.39.3', 'ANY', false],
  ['1.40.0', 'LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY', true],
] as const) {
  test(`Envoy ${version} is sent ${policy} where affinity to zones is asked for`, () => {
    const snapshot = new Desk(ZONES).snapshot(version);
    assert.equal(proxyOf(snapshot).settings?.read_policy, policy);
    assert.equal(asksForZones(snapshot), zones);
  });
}

test('what an Envoy lacks is told, with its version, the field and the remedy', () => {
  const desk = new Desk(RESP3);
  desk.snapshot('1.36.4');
  assert.deepEqual(desk.told(), [
    'warning UnsupportedByEnvoy: RedisService redis/redis-cluster: metadata.annotations["redpilot.dev/protocol"]: ' +
      'Envoy 1.36.4 gets no RESP3, which needs 1.40: its listener speaks RESP2; upgrade that Envoy, or remove the annotation',
  ]);
});

test('what nobody lacks is not told', () => {
  const desk = new Desk(PLAIN);
  for (const version of ['1.36.4', '1.40.0']) desk.snapshot(version);
  assert.deepEqual(desk.told(), []);
});

test('an Envoy older than the oldest that is supported is served, and told', () => {
  const desk = new Desk(PLAIN);
  assert.equal(desk.snapshot('1.35.2'), desk.snapshot('1.36.4'));
  assert.deepEqual(desk.told(), [
    'warning UnsupportedByEnvoy: Envoy 1.35.2 is older than 1.36, the oldest that is supported; upgrade it',
  ]);
});

test('an Envoy that went is told of no longer once nobody asked for its view between two changes', () => {
  const desk = new Desk(RESP3);
  for (const version of ['1.36.4', '1.40.0', '1.40.0']) {
    desk.snapshot(version);
    desk.put(service({ name: 'unrelated' }));
  }
  assert.deepEqual(desk.told(), []);
});

test('a feature that an object asks for no longer is told no longer', () => {
  const desk = new Desk(RESP3);
  desk.snapshot('1.36.4');
  desk.put(redisService());
  desk.snapshot('1.36.4');
  assert.deepEqual(desk.told(), []);
});

test('each version is told by its own name', () => {
  const desk = new Desk(RESP3);
  for (const version of ['1.38.2', '1.39.3']) desk.snapshot(version);
  assert.deepEqual(
    desk.told().map((line) => /Envoy [\d.]+/.exec(line)?.[0]),
    ['Envoy 1.38.2', 'Envoy 1.39.3'],
  );
});

test('of nodes that each say another version only some are told', () => {
  const desk = new Desk(PLAIN);
  for (let patch = 0; patch < 1_000; patch++) desk.snapshot(`1.35.${patch}`);
  assert.ok(desk.told().length <= 64, `${desk.told().length} lines`);
  assert.match(desk.told().at(-1) ?? '', /Envoy 1\.35\.999 is older/);
});

for (const [one, other] of [
  ['1.36.4', '1.37.0'],
  ['1.38.2', '1.39.3'],
  ['1.40.0', undefined],
] as const) {
  test(`Envoy ${one} and ${other ?? 'one of a version unsaid'}, which lack the same, have one snapshot`, () => {
    const desk = new Desk(RESP3);
    assert.equal(desk.snapshot(one), desk.snapshot(other));
  });
}

test('where an object asks for nothing new, an old and a new Envoy share all resources', () => {
  const desk = new Desk(PLAIN);
  for (const type of [LISTENER_TYPE, CLUSTER_TYPE] as const) {
    assert.equal(only(desk.snapshot('1.36.4'), type), only(desk.snapshot('1.40.0'), type));
  }
});

test('an old and a new Envoy share the resources that say the same to both', () => {
  const desk = new Desk(RESP3);
  assert.equal(only(desk.snapshot('1.36.4'), CLUSTER_TYPE), only(desk.snapshot('1.40.0'), CLUSTER_TYPE));
});

test('a plan object that stays is taken apart once: what follows compares references', () => {
  const desk = new Desk(RESP3);
  const [first, again] = [desk.plan('1.36.4'), desk.plan('1.36.4')];
  assert.notEqual(first, again);
  assert.equal(first.listeners[0]?.listener, again.listeners[0]?.listener);
});

test('a change elsewhere leaves the snapshot of an old Envoy the same object', () => {
  const desk = new Desk(ZONES);
  const before = desk.snapshot('1.36.4');
  desk.put(service({ name: 'unrelated' }));
  assert.equal(desk.snapshot('1.36.4'), before);
});

test('an edit makes a new listener for an old Envoy and leaves its cluster the same object', () => {
  const desk = new Desk(ZONES);
  const before = desk.snapshot('1.36.4');
  desk.put(redisService({ ...ZONES, readPolicy: 'PREFER_REPLICA' }));
  const after = desk.snapshot('1.36.4');
  assert.equal(only(after, CLUSTER_TYPE), only(before, CLUSTER_TYPE));
  assert.notEqual(only(after, LISTENER_TYPE).version, only(before, LISTENER_TYPE).version);
  assert.equal(only(after, LISTENER_TYPE).name, NAME);
});
