/** Annotations for Istio where nobody carries them out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnostic } from '../../src/api/diagnostic.ts';
import { Desk } from './desk.ts';
import { NO_ANNOTATIONS, redisService, service, slice } from './objects.ts';

const ASKING = {
  ...NO_ANNOTATIONS,
  istioNamespaces: ['shop'],
  istioSecrets: 'inline',
  istioPortWide: true,
} as const;

function saidOf(withIstio: boolean | undefined, annotations = NO_ANNOTATIONS): readonly string[] {
  const desk = new Desk(withIstio === undefined ? {} : { withIstio });
  desk.put(redisService({ annotations }), service(), slice(['10.0.0.1']));
  return desk.planner
    .diagnostics()
    .map(formatDiagnostic)
    .filter((line) => line.includes('istio'));
}

test('each that has no effect is told', () => {
  assert.deepEqual(
    saidOf(false, ASKING).map((line) => /redpilot\.dev\/[a-z-]+/.exec(line)?.[0]),
    ['redpilot.dev/istio-namespaces', 'redpilot.dev/istio-secrets', 'redpilot.dev/istio-port-wide'],
  );
});

for (const [what, said] of [
  ['of an object that asks for nothing', saidOf(false)],
  ['where EnvoyFilters are written', saidOf(true, ASKING)],
  ['where it is not known who carries the objects out', saidOf(undefined, ASKING)],
] as const) {
  test(`nothing is told ${what}`, () => {
    assert.deepEqual(said, []);
  });
}
