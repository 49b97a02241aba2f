/**
 * Nodes that each name an address of their own, or narrow what they get otherwise than all others: nothing is kept of
 * what nobody has any more, also while no object changes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { eventually } from '../../src/demo/eventually.ts';
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

test('what nodes have is kept through changes that follow each other before anybody asks', () => {
  const used = [boundTo(0)];
  const views = viewsOfMany(() => used);
  for (const view of [boundTo(0), boundTo(1)]) views.snapshotFor(view);
  const told = [...views.diagnostics().values()].flat().length;
  const before = views.snapshotFor(boundTo(0));
  for (let change = 0; change < 3; change++) views.update([]);
  assert.deepEqual(views.views(), used);
  assert.equal([...views.diagnostics().values()].flat().length, told / 2);
  assert.equal(views.snapshotFor(boundTo(0)), before);
});

test('of what someone sees who only looks nothing is told', () => {
  const views = viewsOfMany();
  const looker = { ...boundTo(0), isOnlooker: true };
  views.snapshotFor(looker);
  assert.deepEqual([...views.diagnostics().values()].flat(), []);
  views.snapshotFor(boundTo(0));
  assert.equal([...views.diagnostics().values()].flat().length, SERVICES / 2);
});

test('who only looks takes what nodes have, which is forgotten with them', () => {
  const used = [boundTo(0)];
  const views = viewsOfMany(() => used);
  const looker = { ...boundTo(0), isOnlooker: true };
  const snapshot = views.snapshotFor(boundTo(0));
  assert.equal(views.snapshotFor(looker), snapshot);
  assert.deepEqual(views.views(), used);
  used.pop();
  views.update([]);
  assert.equal(views.snapshotFor(looker), snapshot);
  views.update([]);
  assert.deepEqual(views.views(), []);
});

test('a thousand views that came and went leave nothing, neither listeners nor conflicts of addresses', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const views = viewsOfMany();
  const askFor = (first: number, last: number): void => {
    for (let index = first; index < last; index++) views.snapshotFor(boundTo(index));
  };
  const heapBytes = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // Up to there caches fill.
  askFor(0, 300);
  const before = heapBytes();
  askFor(300, 1_300);
  let after = Infinity;
  // A thousand views of a hundred listeners have 60 MB.
  await eventually(
    'the heap it had before',
    () => {
      after = heapBytes();
      return after - before < 10_000_000 ? true : undefined;
    },
    { seen: () => `${before} -> ${after} bytes`, deadlineMs: 20_000 },
  );
});

test('what was made for someone who only looks goes when a node comes that sees the same', () => {
  const looker = { ...boundTo(0), isOnlooker: true };
  const views = viewsOfMany(() => [looker, boundTo(0)]);
  const before = views.snapshotFor(looker);
  const ofNode = views.snapshotFor(boundTo(0));
  assert.equal(views.snapshotFor(looker), ofNode);
  assert.deepEqual(views.views(), [boundTo(0)]);
  assert.deepEqual(before, ofNode);
});
