/**
 * Nodes that each name an address of their own, or narrow what they get otherwise than all others: nothing is kept of
 * what nobody has any more, also while no object changes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { ViewSnapshots, type NodeView } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { redisService, service } from '../plan/objects.ts';

const SERVICES = 100;

/** Every second service wants the address of another one. */
function viewsOfMany(inUse?: () => Iterable<NodeView>): ViewSnapshots {
  const planner = new Planner();
  const views = new ViewSnapshots(() => planner.plans(), inUse);
  const set = Array.from({ length: SERVICES }, (_, index) => [
    redisService({ name: `s${index}`, hosts: [`h${index}`] }),
    service({
      name: `h${index}`,
      ports: [{ name: 'redis', port: 7_000 + (index >> 1), targetPort: undefined, appProtocol: undefined }],
    }),
  ]).flat();
  const { world, changed } = World.empty({ clusterDomain: 'cluster.local' }).apply({ set, deleted: [] });
  planner.update(world, changed);
  views.update(planner.takeChanges().values());
  return views;
}

function boundTo(index: number): NodeView {
  return { namespace: undefined, hosts: undefined, bindAddress: `127.0.${index >> 8}.${index & 255}` };
}

test('views that no node has any more are forgotten; those that one has stay what they are', () => {
  const used = [boundTo(0), boundTo(1)];
  const views = viewsOfMany(() => used);
  const before = used.map((view) => views.snapshotFor(view));
  for (let index = 2; index < 500; index++) views.snapshotFor(boundTo(index));
  assert.ok(views.views().length < 100, `${views.views().length} views are left`);
  for (const [index, view] of used.entries()) assert.equal(views.snapshotFor(view), before[index]);
});

test('a thousand views that came and went leave nothing, neither listeners nor conflicts of addresses', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const views = viewsOfMany();
  const heapAfter = (first: number, last: number): number => {
    for (let index = first; index < last; index++) views.snapshotFor(boundTo(index));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // Up to there caches fill.
  const before = heapAfter(0, 300);
  const after = heapAfter(300, 1_300);
  // A thousand views of a hundred listeners have 60 MB.
  assert.ok(after - before < 10_000_000, `${before} -> ${after} bytes`);
});
