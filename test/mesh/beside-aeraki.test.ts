/**
 * A sidecar that has Aeraki's EnvoyFilter for a host and ours, as while one switches over. Aeraki's are made here as it
 * makes them: without a priority, for the same listener.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { translateToIstio } from '../../src/commands/translate-istio.ts';
import type { EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { patchedListener } from '../e2e/patched-listener.ts';
import { redisService, service, slice } from '../plan/objects.ts';

const ADDRESS = '10.0.0.1';
const LISTENER = `${ADDRESS}_6379`;

const ours = translateToIstio(
  [redisService(), service({ clusterIps: [ADDRESS] }), slice(['10.1.0.1'])],
  {},
  { write: String },
).bodies;

const aerakis = {
  spec: {
    priority: 0,
    configPatches: [
      {
        applyTo: 'NETWORK_FILTER',
        match: {
          context: 'SIDECAR_OUTBOUND',
          listener: { name: LISTENER, filterChain: { filter: { name: 'envoy.filters.network.tcp_proxy' } } },
        },
        patch: {
          operation: 'REPLACE',
          value: { name: 'envoy.filters.network.redis_proxy', typed_config: { type_url: 'aeraki' } },
        },
      },
    ],
  },
} as const satisfies Pick<EnvoyFilterBody, 'spec'>;

/** Who made the filter that the sidecar ends up with. */
function inForce(...bodies: readonly Pick<EnvoyFilterBody, 'spec'>[]): string {
  const [filter, ...others] = patchedListener(LISTENER, bodies);
  assert.deepEqual(others, []);
  const text = JSON.stringify(filter);
  if (text.includes('aeraki')) return 'Aeraki';
  return text.includes('redpilot|') ? 'redpilot' : 'nobody';
}

test('in a sidecar that has both, ours is in force, and each alone is', () => {
  assert.equal(inForce(), 'nobody');
  assert.equal(inForce(aerakis), 'Aeraki');
  assert.equal(inForce(...ours, aerakis), 'redpilot');
  assert.equal(inForce(...ours), 'redpilot');
});
