/**
 * EnvoyFilters of ours that somebody else has changed: whatever they say, reading them is no error, since it would end the
 * control plane for everybody.
 */
import { test } from 'node:test';

import type { EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { heldAddresses } from '../../src/istio/held-addresses.ts';
import { violationsOf } from '../../src/istio/invariants.ts';
import { keptDocument, stillTheirs } from '../../src/istio/kept-filters.ts';
import { ClusterRetention } from '../../src/istio/retention.ts';
import { filtersOfCase, istioCaseNames } from '../golden/istio-case.ts';
import { randomFrom, type Random } from '../xds/model/runs.ts';

const RUNS = 1_500;

const JUNK = [undefined, null, 0, true, '', 'text', [], {}, [null], [1], { name: null }];

const OWNER = { kind: 'RedisService', namespace: 'redis', name: 'cache' } as const;

/** Every place within, as the object that has it and the name it has there. */
function placesIn(value: unknown): readonly (readonly [holder: object, field: string])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) => [[value, field] as const, ...placesIn(inner)]);
}

function damage(body: EnvoyFilterBody, random: Random): void {
  const places = placesIn(body.spec);
  const [holder, field] = places[random(places.length)] ?? [];
  if (holder === undefined || field === undefined) return;
  const junk = JUNK[random(JUNK.length)];
  if (junk === undefined) Reflect.deleteProperty(holder, field);
  else Reflect.set(holder, field, structuredClone(junk));
}

/** All that looks into what is there. */
function read(body: EnvoyFilterBody): void {
  const { metadata, spec } = body;
  const key = `${metadata.namespace}/${metadata.name}`;
  violationsOf(body, new Set());
  heldAddresses(metadata.namespace, 'redis/cache', spec);
  stillTheirs(metadata, OWNER, spec, {
    holders: { of: () => undefined, isOfService: () => true },
    rootNamespace: 'istio-system',
    taken: new Map(),
  });
  keptDocument(metadata, OWNER, spec);
  const retention = new ClusterRetention({ drainMs: 100, priority: 10 });
  for (const nowMs of [0, 50]) {
    const nothing = { write: [], keep: [], diagnostics: [] };
    retention.follow(nothing, [[key, { owner: 'redis/cache', spec }]], nowMs);
  }
}

test(`${RUNS} EnvoyFilters with junk in one or two places are read`, async () => {
  const cases = await Promise.all(istioCaseNames().map((name) => filtersOfCase(name, String)));
  const bodies = cases.flatMap((one) => one.bodies);
  const random = randomFrom(1);
  for (let run = 0; run < RUNS; run++) {
    const damaged = structuredClone(bodies[random(bodies.length)]);
    if (damaged === undefined) continue;
    for (let places = 1 + random(2); places > 0; places--) damage(damaged, random);
    // As it comes from the API server: without holes.
    const body = JSON.parse(JSON.stringify(damaged)) as EnvoyFilterBody;
    try {
      read(body);
    } catch (error) {
      throw new Error(`can't read ${JSON.stringify(body.spec)}`, { cause: error });
    }
  }
});
