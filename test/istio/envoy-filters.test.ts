import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Planner } from '../../src/plan/planner.ts';
import { ISTIO_DEFAULTS, envoyFiltersOf, type EnvoyFilters } from '../../src/istio/envoy-filters.ts';
import type { ApiObject } from '../../src/api/objects.ts';
import { World } from '../../src/world/world.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, service } from '../plan/objects.ts';

function filtersOf(...objects: ApiObject[]): EnvoyFilters {
  const { world, changed } = World.empty({ clusterDomain: 'cluster.local' }).apply({
    set: objects,
    deleted: [],
  });
  const planner = new Planner();
  planner.update(world, changed);
  return envoyFiltersOf(planner.plans(), { ...ISTIO_DEFAULTS, write: (secret) => secret.reveal() });
}

const listen = [{ of: undefined, address: '127.0.0.1', port: 6379 }];

test('an object that asks for an address becomes one EnvoyFilter of its namespace, with listener and cluster', () => {
  const asking = redisService({ annotations: { ...NO_ANNOTATIONS, listen } });
  const { write } = filtersOf(asking, redisDestination({ mode: 'CLUSTER' }), service({ hasSelector: true }));
  assert.deepEqual(
    write.map(({ namespace, name }) => `${namespace}/${name}`),
    ['redis/redpilot-redis-cluster'],
  );
  assert.deepEqual(
    write[0]?.body.spec.configPatches.map(({ applyTo }) => applyTo),
    ['CLUSTER', 'LISTENER'],
  );
});
