import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { EnvoyFilterDocument } from '../../src/istio/envoy-filter.ts';
import type { EnvoyFilters } from '../../src/istio/envoy-filters.ts';
import { differencesOf, isForgotten, type Differences, type Wanted } from '../../src/mesh/differences.ts';
import { isOurs, manifestOf, type PresentFilter } from '../../src/mesh/manifest.ts';
import { documentOf } from './kept-mesh.ts';

const CONTROL_PLANE = 'redpilot';

/** As the API server has it after we applied it. */
function present(of: EnvoyFilterDocument, uid = 'u1', change: Partial<PresentFilter> = {}): PresentFilter {
  const { metadata, spec } = manifestOf(of, uid, CONTROL_PLANE);
  const managedFields = [{ manager: 'redpilot', operation: 'Apply' }];
  return { metadata: { ...metadata, resourceVersion: '1', uid: 'f1', managedFields }, spec, ...change };
}

const own = documentOf('redis/redpilot-cache');
const lasting: EnvoyFilterDocument = { ...own, outlivesOwner: true };
const clients = documentOf('shop/redpilot-redis-cache');

function differences(
  filters: Partial<EnvoyFilters>,
  there: readonly PresentFilter[],
  others: Partial<Wanted> & { readonly written?: Parameters<typeof differencesOf>[2] } = {},
): Differences {
  const { written = new Map(), ...wanted } = others;
  return differencesOf(
    {
      filters: { write: [], keep: [], diagnostics: [], ...filters },
      owners: new Map([['redis/cache', 'u1']]),
      ...wanted,
    },
    there.map((filter) => [`${filter.metadata.namespace ?? ''}/${filter.metadata.name}`, filter]),
    written,
    CONTROL_PLANE,
  );
}

function shortly({ apply, remove, settled }: Differences): object {
  return { apply: [...apply.keys()], remove: [...remove.keys()], settled: [...settled.keys()] };
}

const cases: readonly (readonly [what: string, found: () => Differences, expected: object])[] = [
  [
    'what is not there is written',
    () => differences({ write: [own] }, []),
    { apply: ['redis/redpilot-cache'] },
  ],
  [
    'what says the same stays',
    () => differences({ write: [own] }, [present(own)]),
    { settled: ['redis/redpilot-cache'] },
  ],
  [
    'what says something else is written',
    () =>
      differences({ write: [own] }, [present(own, 'u1', { spec: { priority: 10, configPatches: [{}] } })]),
    { apply: ['redis/redpilot-cache'] },
  ],
  [
    'an object that was made anew takes over what the one before had',
    () => differences({ write: [own] }, [present(own, 'u0')]),
    { apply: ['redis/redpilot-cache'] },
  ],
  [
    'what nobody wants any more goes, in other namespaces too',
    () => differences({ write: [own] }, [present(own), present(clients)]),
    { settled: ['redis/redpilot-cache'], remove: ['shop/redpilot-redis-cache'] },
  ],
  [
    'what is of an object that is gone goes',
    () => differences({}, [present(own)], { owners: new Map() }),
    { remove: ['redis/redpilot-cache'] },
  ],
  [
    'what is to be kept stays',
    () =>
      differences(
        { keep: [{ namespace: 'redis', name: 'redpilot-cache', owner: own.owner, why: 'no host' }] },
        [present(own, 'u1', { spec: {} })],
      ),
    { settled: ['redis/redpilot-cache'] },
  ],
  [
    'what is to be kept and is not there is not made',
    () =>
      differences(
        { keep: [{ namespace: 'redis', name: 'redpilot-cache', owner: own.owner, why: 'no host' }] },
        [],
      ),
    {},
  ],
  [
    'what the API server made something else of is not written again and again',
    () => {
      const made = present(own, 'u1', { spec: { priority: 10 } });
      const manifest = manifestOf(own, 'u1', CONTROL_PLANE);
      const written = new Map([['redis/redpilot-cache', { manifest, resourceVersion: '1' }]]);
      return differences({ write: [own] }, [made], { written });
    },
    { settled: ['redis/redpilot-cache'] },
  ],
  [
    'nothing is written for an object that is just going',
    () => differences({ write: [own] }, [], { owners: new Map() }),
    {},
  ],
  [
    'what stays a while without its object is written without an owner',
    () => differences({ write: [lasting] }, [present(own)], { owners: new Map() }),
    { apply: ['redis/redpilot-cache'] },
  ],
  [
    'and is neither written again nor removed as long as it is to stay',
    () => differences({ write: [lasting] }, [present(lasting)], { owners: new Map() }),
    {},
  ],
];

test('what stays a while without its object has no owner with which Kubernetes would remove it', () => {
  assert.deepEqual(manifestOf(lasting, 'u1', CONTROL_PLANE).metadata.ownerReferences, []);
  assert.equal(manifestOf(own, 'u1', CONTROL_PLANE).metadata.ownerReferences.length, 1);
});

for (const [what, found, expected] of cases) {
  test(what, () => {
    assert.deepEqual(shortly(found()), { apply: [], remove: [], settled: [], ...expected });
  });
}

test('what stays as an earlier version wanted it is known, with why', () => {
  const keep = [{ namespace: 'redis', name: 'redpilot-cache', owner: own.owner, why: 'no host' }];
  const { kept } = differences({ write: [clients], keep }, [present(own), present(clients)]);
  assert.deepEqual([...kept], [['redis/redpilot-cache', 'no host']]);
});

test('what was written is forgotten when it is neither there nor wanted', () => {
  const found = differences({ write: [own] }, []);
  const there = new Map([['redis/there', present(own)]]);
  const forgotten = ['redis/redpilot-cache', 'redis/there', 'redis/gone'].filter((key) =>
    isForgotten(key, found, there),
  );
  assert.deepEqual(forgotten, ['redis/gone']);
});

test('only in its own namespace an object is the owner', () => {
  assert.deepEqual(manifestOf(clients, 'u1', CONTROL_PLANE).metadata.ownerReferences, []);
  assert.equal(manifestOf(own, 'u1', CONTROL_PLANE).metadata.ownerReferences[0]?.uid, 'u1');
});

test('ours is what has our labels and was applied by us', () => {
  const filter = present(own);
  assert.equal(isOurs(filter, CONTROL_PLANE), true);
  assert.equal(isOurs(filter, 'another'), false);
  const { metadata } = filter;
  const copied = { metadata: { ...metadata, managedFields: [{ manager: 'kubectl', operation: 'Apply' }] } };
  assert.equal(isOurs(copied, CONTROL_PLANE), false);
  const updated = {
    metadata: { ...metadata, managedFields: [{ manager: 'redpilot', operation: 'Update' }] },
  };
  assert.equal(isOurs(updated, CONTROL_PLANE), false);
});

test('labels and annotations that others have added are no difference', () => {
  const filter = present(own);
  const { metadata } = filter;
  const labels = { ...metadata.labels, team: 'data' };
  const added = {
    ...filter,
    metadata: { ...metadata, labels, annotations: { ...metadata.annotations, a: 'b' } },
  };
  assert.deepEqual(shortly(differences({ write: [own] }, [added])), {
    apply: [],
    remove: [],
    settled: ['redis/redpilot-cache'],
  });
});
