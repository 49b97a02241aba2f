/**
 * Replicas agree: what a control plane serves follows from the objects alone, not from the order in which it saw them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { TYPE_URLS, type Snapshot } from '../../src/envoy/resource.ts';
import { ViewSnapshots } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { redisDestination, redisService, service, slice } from '../plan/objects.ts';

const view = { namespace: undefined, hosts: undefined, bindAddress: '127.0.0.1' };

function objects(): ApiObject[] {
  return ['one', 'two', 'three'].flatMap((name, index) => [
    redisService({ name, hosts: [name], readPolicy: 'ANY' }),
    service({
      name,
      ports: [{ name: 'redis', port: 6379 + index, targetPort: undefined, appProtocol: undefined }],
    }),
    slice([`127.0.0.${index + 1}`], { name: `${name}-a`, serviceName: name }),
    redisDestination({ name, host: name, mode: index === 1 ? 'PROXY' : 'CLUSTER' }),
  ]);
}

/** Objects in batches, one change after another. */
function served(batches: readonly (readonly ApiObject[])[]): Snapshot {
  const planner = new Planner();
  const snapshots = new ViewSnapshots();
  let world = World.empty({ clusterDomain: 'cluster.local' });
  for (const set of batches) {
    const next = world.apply({ set, deleted: [] });
    world = next.world;
    planner.update(world, next.changed);
    snapshots.update(planner.plans());
    snapshots.snapshotFor(view);
  }
  return snapshots.snapshotFor(view);
}

function content(snapshot: Snapshot): unknown {
  return TYPE_URLS.map((type) => {
    const set = snapshot.get(type);
    return [
      set?.version,
      set?.list.map(({ name, version, bytes, initialBytes }) => [name, version, bytes, initialBytes]),
    ];
  });
}

test('one after another, in another order or all at once: equal versions and equal bytes', () => {
  const atOnce = content(served([objects()]));
  assert.match(JSON.stringify(atOnce), /one\.redis.*two\.redis|three\.redis/);
  assert.deepEqual(content(served(objects().map((object) => [object]))), atOnce);
  assert.deepEqual(
    content(
      served(
        objects()
          .reverse()
          .map((object) => [object]),
      ),
    ),
    atOnce,
  );
});
