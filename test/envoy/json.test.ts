import assert from 'node:assert/strict';
import { test } from 'node:test';

import { any, decode, encode, type Messages } from '../../src/envoy/codec.ts';
import { toJson } from '../../src/envoy/json.ts';

type Cluster = Messages['envoy.config.cluster.v3.Cluster'];

const cases: [what: string, message: Cluster, json: object][] = [
  ['a duration of whole seconds', { connect_timeout: { seconds: 2 } }, { connect_timeout: '2s' }],
  ['a duration of half a second', { connect_timeout: { nanos: 5e8 } }, { connect_timeout: '0.5s' }],
  ['a duration of no time', { connect_timeout: { seconds: 0, nanos: 0 } }, { connect_timeout: '0s' }],
  ['a wrapped false', { wait_for_warm_on_init: { value: false } }, { wait_for_warm_on_init: false }],
  [
    'a wrapped zero',
    { outlier_detection: { consecutive_5xx: { value: 0 } } },
    { outlier_detection: { consecutive_5xx: 0 } },
  ],
  ['an empty list', { health_checks: [] }, {}],
  [
    'a Struct',
    {
      metadata: {
        filter_metadata: { 'envoy.lb': { fields: { a: { stringValue: 'x' }, b: { boolValue: false } } } },
      },
    },
    { metadata: { filter_metadata: { 'envoy.lb': { a: 'x', b: false } } } },
  ],
  [
    'an Any',
    {
      cluster_type: {
        name: 'n',
        typed_config: any('envoy.extensions.health_checkers.redis.v3.Redis', { key: 'k' }),
      },
    },
    {
      cluster_type: {
        name: 'n',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.health_checkers.redis.v3.Redis',
          key: 'k',
        },
      },
    },
  ],
];

for (const [what, message, json] of cases) {
  test(`${what} in JSON`, () => assert.deepEqual(toJson('envoy.config.cluster.v3.Cluster', message), json));

  test(`${what} survives encoding`, () => {
    const bytes = encode('envoy.config.cluster.v3.Cluster', message);
    const again = decode('envoy.config.cluster.v3.Cluster', bytes);
    assert.deepEqual(toJson('envoy.config.cluster.v3.Cluster', again), json);
  });
}

test('bytes that are no message are an error', () => {
  assert.throws(() => decode('envoy.config.cluster.v3.Cluster', Buffer.from([0x07])));
});
