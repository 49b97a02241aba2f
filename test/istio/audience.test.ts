import assert from 'node:assert/strict';
import { test } from 'node:test';

import { audienceOf, holdsIn } from '../../src/istio/audience.ts';
import { plansOf } from './plans.ts';
import { NO_ANNOTATIONS, redisService, service } from '../plan/objects.ts';

type Row = [own: string, asked: string[], allowed: string[], reached: string[], refused: number];
const rows: Row[] = [
  ['redis', [], [], ['redis'], 0],
  ['redis', ['shop'], [], ['redis'], 1],
  ['redis', ['shop'], ['pay'], ['redis'], 1],
  ['redis', ['shop'], ['shop'], ['redis', 'shop'], 0],
  ['redis', ['shop', 'pay'], ['shop'], ['redis', 'shop'], 1],
  ['redis', ['shop'], ['*'], ['redis', 'shop'], 0],
  ['redis', ['.'], [], ['redis'], 0],
  ['redis', ['*'], [], ['redis'], 1],
  ['redis', ['*'], ['shop'], ['redis'], 1],
  ['redis', ['*'], ['*'], ['istio-system'], 0],
  ['redis', ['*', 'shop'], ['*'], ['istio-system'], 0],
  ['redis', ['istio-system'], ['shop'], ['redis'], 1],
  ['redis', ['istio-system'], ['istio-system'], ['istio-system'], 0],
  ['istio-system', [], [], [], 1],
  ['istio-system', [], ['*'], ['istio-system'], 0],
];
for (const [own, asked, allowed, reached, refused] of rows) {
  const wish = asked.length === 0 ? 'nothing' : asked.join(', ');
  test(`an object of ${own} that asks for ${wish}, allowed ${allowed.join() || 'none'}, reaches ${reached.join() || 'nobody'}`, () => {
    const asking = redisService({
      namespace: own,
      annotations: { ...NO_ANNOTATIONS, istioNamespaces: asked },
    });
    const [plan] = plansOf(asking, service({ namespace: own }));
    assert.ok(plan);
    const rights = { allowedNamespaces: allowed, rootNamespace: 'istio-system' };
    const { namespaces, refusals } = audienceOf(plan, rights);
    assert.deepEqual([namespaces, refusals.length], [reached, refused]);
  });
}

const holding: readonly (readonly [
  only: readonly string[] | undefined,
  namespace: string,
  holds: boolean,
])[] = [
  [undefined, 'shop', true],
  [undefined, 'istio-system', true],
  [['shop'], 'shop', true],
  [['shop'], 'pay', false],
  // In the root namespace it would hold for everybody.
  [['istio-system'], 'istio-system', false],
];
for (const [only, namespace, holds] of holding) {
  test(`what holds for ${only?.join() ?? 'everybody'} ${holds ? 'may stand' : 'does not stand'} in an EnvoyFilter of ${namespace}`, () => {
    const [plan] = plansOf(redisService(), service());
    const [listener] = plan?.listeners ?? [];
    assert.ok(listener);
    const rights = { allowedNamespaces: ['*'], rootNamespace: 'istio-system' };
    assert.equal(holdsIn({ ...listener, onlyNamespaces: only }, namespace, rights), holds);
  });
}
