import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { decode } from '../../src/envoy/codec.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type TypeUrl,
} from '../../src/envoy/resource.ts';
import { ViewSnapshots } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World, type ObjectChanges } from '../../src/world/world.ts';
import { redisDestination, redisService, service, slice } from '../plan/objects.ts';

const ID = 'redis-cluster.redis.svc.cluster.local:6379';
const view = { namespace: undefined, hosts: undefined, bindAddress: '127.0.0.1', envoyVersion: '1.40.0' };

class Desk {
  readonly snapshots = new ViewSnapshots(() => this.#planner.plans());
  readonly #planner = new Planner();
  #world = World.empty({ clusterDomain: 'cluster.local' });

  put(...set: ApiObject[]): void {
    this.change({ set });
  }

  change(changes: Partial<ObjectChanges>): void {
    const { world, changed } = this.#world.apply({ set: [], deleted: [], ...changes });
    this.#world = world;
    this.#planner.update(world, changed);
    this.snapshots.update(this.#planner.takeChanges().values());
  }

  resource(type: TypeUrl, name = ID): Resource | undefined {
    return this.snapshots.snapshotFor(view).get(type)?.get(name);
  }
}

function deskOf(readPolicy: 'REPLICA' | 'MASTER', mode: 'CLUSTER' | 'PROXY' = 'CLUSTER'): Desk {
  const desk = new Desk();
  desk.put(redisService({ readPolicy }), service(), slice(['127.0.0.1']), redisDestination({ mode }));
  return desk;
}

test('an edited policy makes a new listener and leaves the cluster the same object', () => {
  const desk = deskOf('REPLICA');
  const [cluster, listener] = [desk.resource(CLUSTER_TYPE), desk.resource(LISTENER_TYPE)];
  desk.put(redisService({ readPolicy: 'ANY' }));
  assert.equal(desk.resource(CLUSTER_TYPE), cluster);
  assert.notEqual(desk.resource(LISTENER_TYPE)?.version, listener?.version);
});

test('a change that concerns nothing of a view leaves its snapshot the same object', () => {
  const desk = deskOf('REPLICA');
  const before = desk.snapshots.snapshotFor(view);
  desk.put(service({ name: 'unrelated' }));
  assert.equal(desk.snapshots.snapshotFor(view), before);
});

test('pods that come and go change the endpoints of plain servers, not their cluster', () => {
  const desk = deskOf('MASTER', 'PROXY');
  const [cluster, endpoints] = [desk.resource(CLUSTER_TYPE), desk.resource(ENDPOINTS_TYPE)];
  desk.put(slice(['127.0.0.1', '127.0.0.2']));
  assert.equal(desk.resource(CLUSTER_TYPE), cluster);
  assert.notEqual(desk.resource(ENDPOINTS_TYPE)?.version, endpoints?.version);
});

test('a starting Envoy gets a Redis cluster that does not wait for its topology, under the same version', () => {
  const cluster = deskOf('REPLICA').resource(CLUSTER_TYPE);
  assert.ok(cluster?.initialBytes);
  const waits = (bytes: Uint8Array): boolean | undefined =>
    decode('envoy.config.cluster.v3.Cluster', bytes).wait_for_warm_on_init?.value;
  assert.equal(waits(cluster.bytes), true);
  assert.equal(waits(cluster.initialBytes), false);
});

test('servers that were all replaced make it another cluster, the more often the newer, in both forms', () => {
  const desk = deskOf('REPLICA');
  const listener = desk.resource(LISTENER_TYPE);
  const seen = [0, 1, 2].map((generation) => {
    desk.change({ generations: new Map([[ID, generation]]) });
    return desk.resource(CLUSTER_TYPE);
  });
  assert.equal(new Set(seen.map((cluster) => cluster?.version)).size, 3);
  assert.equal(new Set(seen.map((cluster) => String(cluster?.initialBytes))).size, 3);
  assert.equal(desk.resource(LISTENER_TYPE), listener);
  desk.change({ generations: new Map([[ID, 0]]) });
  assert.deepEqual(desk.resource(CLUSTER_TYPE)?.bytes, seen[0]?.bytes);
});

test('equal input gives equal versions and bytes, whoever makes them', () => {
  const [one, other] = [deskOf('REPLICA'), deskOf('REPLICA')];
  for (const type of [CLUSTER_TYPE, LISTENER_TYPE] as const) {
    assert.deepEqual(one.resource(type), other.resource(type));
  }
});
