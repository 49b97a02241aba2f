/**
 * What is sent to many streams is the same bytes, not a copy for each.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Resource } from '../../src/envoy/resource.ts';
import { ResourceSet } from '../../src/envoy/resource-set.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { askForListeners } from './raw-client.ts';
import { stage } from './surroundings.ts';
import { snapshotOf, typeOf } from './talk.ts';

const STREAMS = 30;
const LISTENER_BYTES = 3_000_000;

test('a first answer of megabytes that 30 slow clients wait for is in memory once', async (t) => {
  await using here = await stage({});
  const typeUrl = typeOf('LDS');
  const listener: Resource = { typeUrl, name: 'l', version: '1', bytes: Buffer.alloc(LISTENER_BYTES) };
  here.source.setSnapshot(new Map([...snapshotOf({}), [typeUrl, ResourceSet.of([listener])]]));
  const before = process.memoryUsage().arrayBuffers;
  // Nobody reads, so their windows take some ten kilobytes each.
  const clients = Array.from({ length: STREAMS }, () => askForListeners(here.server.address));
  t.after(() => clients.forEach(({ session }) => session.destroy()));
  const sent = here.metrics.getSingleMetric('redpilot_xds_responses_total');
  await eventually('all have been answered', async () =>
    (await sent?.get())?.values[0]?.value === STREAMS ? true : undefined,
  );
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < (STREAMS / 2) * LISTENER_BYTES, `${Math.round(grown / 1e6)} MB for ${STREAMS} streams`);
});
