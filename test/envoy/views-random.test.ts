/** Views that are brought up to date, change by change, against views that are made at once of the same plans. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { ViewSnapshots, type NodeView } from '../../src/envoy/view-snapshots.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { randomOf } from '../e2e/random.ts';
import { Desk } from '../plan/desk.ts';
import { redisDestination, redisService, rule, service, slice } from '../plan/objects.ts';
import { RandomWorld } from '../plan/random-world.ts';

const ROUNDS = 25;
const STEPS = 60;

const VIEWS: readonly NodeView[] = [
  ...[undefined, 'a', 'b', 'c'].flatMap((namespace) =>
    ['127.0.0.1', 'auto'].flatMap((bindAddress) =>
      [undefined, '1.36.0'].map((envoyVersion) => ({
        namespace,
        hosts: undefined,
        bindAddress,
        envoyVersion,
      })),
    ),
  ),
  { namespace: 'a', hosts: ['x.a.svc.cluster.local', 'redis.example.com'], bindAddress: '127.0.0.1' },
];

test('views brought up to date are as if they were made at once, over random changes', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new RandomWorld(randomOf(seed));
    const choose = randomOf(seed + 1_000);
    const planner = new Planner();
    const views = new ViewSnapshots(() => planner.plans());
    let world = World.empty({ clusterDomain: 'cluster.local', completeNamespaces: 'all' });
    for (let step = 0; step < STEPS; step++) {
      const next = world.apply(random.changes());
      world = next.world;
      planner.update(world, next.changed);
      // Now and then several changes come at once, and not every node asks after each.
      if (choose(4) === 0) continue;
      views.update(planner.takeChanges().values());
      const made = new ViewSnapshots(() => planner.plans());
      for (const view of VIEWS.filter(() => choose(5) > 0)) {
        const where = `seed ${seed}, step ${step}, ${JSON.stringify(view)}`;
        assert.deepEqual(versionsIn(views, view), versionsIn(made, view), where);
      }
      assert.deepEqual(linesOf(views, made), linesOf(made, made), `seed ${seed}, step ${step}`);
    }
  }
});

test('what a kept plan remembers of an upstream gives way to what one says that comes, whoever sees that', () => {
  const shared = { hosts: ['shared'], rules: [rule({ host: 'upstream' })] };
  const desk = new Desk();
  desk.put(
    service({ name: 'shared' }),
    service({ name: 'upstream' }),
    slice([], { serviceName: 'upstream' }),
  );
  desk.put(redisService({ ...shared, name: 'kept' }));
  // Without a port for Redis the object is kept as it was.
  desk.put(service({ name: 'shared', ports: [] }));
  desk.put(redisDestination({ host: 'upstream', mode: 'PROXY', connectTimeoutMs: 123 }));
  const view = { namespace: 'elsewhere', hosts: undefined, bindAddress: '127.0.0.1' };
  const views = new ViewSnapshots(() => desk.planner.plans());
  views.update(desk.planner.takeChanges().values());
  views.snapshotFor(view);

  desk.put(
    redisService({
      name: 'new',
      namespace: 'shop',
      hosts: ['front.example.com'],
      rules: [rule({ host: 'upstream.redis' })],
    }),
  );
  views.update(desk.planner.takeChanges().values());
  assert.deepEqual(versionsIn(views, view), versionsIn(new ViewSnapshots(() => desk.planner.plans()), view));
});

function versionsIn(views: ViewSnapshots, view: NodeView): unknown {
  return Array.from(views.snapshotFor(view), ([type, { version, list }]) => [
    type,
    version,
    list.map((resource) => [resource.name, resource.version]),
  ]);
}

/** Of the views that `asked` made. */
function linesOf(views: ViewSnapshots, asked: ViewSnapshots): readonly string[] {
  const wanted = asked.diagnostics();
  const told = [...views.diagnostics()].filter(([key]) => wanted.has(key));
  return told.flatMap(([key, found]) => found.map((each) => `${key} ${formatDiagnosticLine(each)}`)).sort();
}
