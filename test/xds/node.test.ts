import assert from 'node:assert/strict';
import { test } from 'node:test';

import { drainMsOf, nodeOf } from '../../src/xds/node.ts';

const cases: [drain: unknown, expectedMs: number][] = [
  [30, 30_000],
  [0, 0],
  [0.5, 500],
  ['30', 30_000],
  ['30s', 30_000],
  ['1.5s', 1_500],
  ['200ms', 200],
  ['2m', 120_000],
  ['1h', 3_600_000],
  [undefined, 600_000],
  [-1, 600_000],
  ['soon', 600_000],
  [null, 600_000],
  [{}, 600_000],
];

for (const [drain, expectedMs] of cases) {
  test(`a node whose redpilot.drain is ${JSON.stringify(drain)} has drained after ${expectedMs} ms`, () => {
    const metadata = drain === undefined ? {} : { 'redpilot.drain': drain };
    assert.equal(
      drainMsOf({ id: 'n', cluster: '', metadata, version: undefined, isOnlooker: false }),
      expectedMs,
    );
  });
}

const BUILD = { version: { major_number: 1, minor_number: 36, patch: 4 } };

for (const [userAgent, expected] of [
  ['envoy', '1.36.4'],
  ['', '1.36.4'],
  ['another data plane', undefined],
] as const) {
  test(`a node that calls itself "${userAgent}" is ${expected === undefined ? 'no Envoy' : `Envoy ${expected}`}`, () => {
    const node = nodeOf({ id: 'n', user_agent_name: userAgent, user_agent_build_version: BUILD });
    assert.equal(node?.version, expected);
    assert.equal(node?.isOnlooker, false);
  });
}
