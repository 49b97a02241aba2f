/**
 * What only acknowledges is read the short way, with what the codec would make of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encode } from '../../src/envoy/codec.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, type TypeUrl } from '../../src/envoy/resource.ts';
import { decodeRequest } from '../../src/xds/decoding.ts';
import type { Variant } from '../../src/xds/requests.ts';
import { randomFrom } from './model/runs.ts';

/** A field that no request has: with it, the codec reads everything. */
const UNKNOWN_FIELD = Buffer.from([15 << 3, 0]);

const TYPES = [CLUSTER_TYPE, LISTENER_TYPE, 'type.googleapis.com/other', '', 'x'.repeat(200)];
const NONCES = ['', '7', 'ä€', 'n'.repeat(127), 'n'.repeat(128)];

function requestBytes(variant: Variant, random: (below: number) => number): Buffer {
  const common = {
    type_url: TYPES[random(TYPES.length)] ?? '',
    response_nonce: NONCES[random(NONCES.length)] ?? '',
    ...(random(4) === 0 ? { error_detail: { message: 'no' } } : {}),
    ...(random(4) === 0 ? { node: { id: 'a' } } : {}),
  };
  if (variant === 'delta')
    return encode('envoy.service.discovery.v3.DeltaDiscoveryRequest', {
      ...common,
      ...(random(4) === 0 ? { resource_names_subscribe: ['a', 'b'] } : {}),
    });
  return encode('envoy.service.discovery.v3.DiscoveryRequest', {
    ...common,
    version_info: NONCES[random(NONCES.length)] ?? '',
    ...(random(4) === 0 ? { resource_names: ['a', 'b'] } : {}),
  });
}

for (const variant of ['delta', 'state of the world'] as const) {
  test(`requests, whole and cut off, are read alike by either way: ${variant}`, () => {
    const random = randomFrom(5);
    for (let round = 0; round < 2_000; round += 1) {
      const whole = requestBytes(variant, random);
      const only: TypeUrl | undefined = random(3) === 0 ? CLUSTER_TYPE : undefined;
      const bytes = random(4) === 0 ? whole.subarray(0, random(whole.length + 1)) : whole;
      const kind = { variant, only };
      const byCodec = decodeRequest(kind, Buffer.concat([UNKNOWN_FIELD, bytes]));
      assert.deepEqual(decodeRequest(kind, bytes), byCodec, bytes.toString('hex'));
    }
  });
}

test('of the words of a refusal no more is taken than anybody who means well has', () => {
  const bytes = encode('envoy.service.discovery.v3.DeltaDiscoveryRequest', {
    type_url: CLUSTER_TYPE,
    error_detail: { message: 'no '.repeat(1_000_000) },
  });
  const decoded = decodeRequest({ variant: 'delta', only: undefined }, bytes);
  assert.equal(decoded.kind, 'request');
  assert.match(decoded.request.error ?? '', /^(?:no ){21845}n\.\.\.\(truncated\)$/);
});
