/**
 * Replicas agree: what a control plane serves follows from the objects alone, not from the order in which it saw them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, ServicePort } from '../../src/api/objects.ts';
import { TYPE_URLS } from '../../src/envoy/resource.ts';
import type { Snapshot } from '../../src/envoy/resource-set.ts';
import { ViewSnapshots } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { randomFrom } from '../xds/model/runs.ts';
import { redisDestination, redisService, rule, service, slice } from '../plan/objects.ts';

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
  const snapshots = new ViewSnapshots(() => planner.plans());
  let world = World.empty({ clusterDomain: 'cluster.local' });
  for (const set of batches) {
    const next = world.apply({ set, deleted: [] });
    world = next.world;
    planner.update(world, next.changed);
    snapshots.update(planner.takeChanges().values());
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

test('any changes, one after another: every view is as if it had been made of what there is at last', () => {
  const views = [
    view,
    { ...view, namespace: 'redis' },
    { ...view, namespace: 'apps' },
    { ...view, hosts: ['one.redis.svc.cluster.local'] },
    { ...view, bindAddress: 'auto' },
  ];
  const services = ['one', 'two', 'three', 'four'];
  const policies = ['MASTER', 'REPLICA', 'ANY'] as const;
  const modes = ['CLUSTER', 'PROXY'] as const;
  const random = randomFrom(7);
  const pick = <T>(list: readonly [T, ...T[]]): T => list[random(list.length)] ?? list[0];
  const planner = new Planner();
  const snapshots = new ViewSnapshots(() => planner.plans());
  let world = World.empty({ clusterDomain: 'cluster.local' });
  for (let round = 0; round < 400; round += 1) {
    const name = services[random(services.length)] ?? 'one';
    const object = pick<ApiObject>([
      redisService({ name, hosts: [name], readPolicy: pick(policies) }),
      // Two on one port: only one of them can listen.
      service({
        name,
        ports: [{ name: 'redis', port: 6379 + random(2), targetPort: undefined, appProtocol: undefined }],
      }),
      slice([`127.0.0.${1 + random(3)}`], { name: `${name}-a`, serviceName: name }),
      redisDestination({ name, host: name, mode: pick(modes) }),
      // Of the clients' own namespace: there it wins over the host's.
      redisService({
        name,
        namespace: 'apps',
        hosts: [`${name}.redis.svc.cluster.local`],
        readPolicy: pick(policies),
      }),
    ]);
    const isDeletion = random(5) === 0;
    const next = world.apply({ set: isDeletion ? [] : [object], deleted: isDeletion ? [object] : [] });
    world = next.world;
    planner.update(world, next.changed);
    snapshots.update(planner.takeChanges().values());
    for (const each of views) {
      // A view that is not asked for each time is forgotten.
      if (random(6) === 0) continue;
      const fresh = new ViewSnapshots(() => planner.plans());
      assert.deepEqual(
        content(snapshots.snapshotFor({ ...each })),
        content(fresh.snapshotFor(each)),
        `round ${round}`,
      );
    }
  }
});

test('services that come, go and change where nobody is in their way: the same again, without a look at the others', () => {
  const random = randomFrom(11);
  const planner = new Planner();
  let looks = 0;
  const snapshots = new ViewSnapshots(() => {
    looks += 1;
    return planner.plans();
  });
  const names = ['one', 'two', 'three', 'four', 'five', 'six'];
  let world = World.empty({ clusterDomain: 'cluster.local' });
  const change = (set: readonly ApiObject[], deleted: readonly ApiObject[]): void => {
    const next = world.apply({ set, deleted });
    world = next.world;
    planner.update(world, next.changed);
    snapshots.update(planner.takeChanges().values());
  };
  const port = (index: number): ServicePort => ({
    name: 'redis',
    port: 6379 + index,
    targetPort: undefined,
    appProtocol: undefined,
  });
  const around = names.flatMap((name, index) => [
    service({ name, ports: [port(index)] }),
    slice([`127.0.0.${index + 1}`], { name: `${name}-a`, serviceName: name }),
  ]);
  change(around, []);
  snapshots.snapshotFor(view);
  const before = looks;
  for (let round = 0; round < 300; round += 1) {
    const index = random(names.length);
    const name = names[index] ?? 'one';
    // Routes to one of the others' hosts, too: upstreams are shared.
    const host = names[random(names.length)] ?? 'one';
    const readPolicy = random(2) === 0 ? 'ANY' : 'MASTER';
    const object = redisService({
      name,
      hosts: [name],
      readPolicy,
      rules: [rule({ host, port: 6379 + names.indexOf(host) })],
    });
    if (random(3) === 0) change([], [object]);
    else
      change(
        [object, redisDestination({ name: host, host, mode: random(4) === 0 ? 'PROXY' : 'CLUSTER' })],
        [],
      );
    const fresh = new ViewSnapshots(() => planner.plans());
    assert.deepEqual(
      content(snapshots.snapshotFor(view)),
      content(fresh.snapshotFor(view)),
      `round ${round}`,
    );
  }
  assert.ok(looks - before < 60, `${looks - before} looks at all plans in 300 changes`);
});
