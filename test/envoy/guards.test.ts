import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { MirrorRule } from '../../src/api/objects.ts';
import { translateObjects } from '../../src/commands/translate-objects.ts';
import { guardsOf } from '../../src/envoy/guards.ts';
import { listenerMessage } from '../../src/envoy/listener.ts';
import { inMessage } from '../../src/envoy/secret-place.ts';
import type { BoundListener } from '../../src/plan/routing-plan.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, rule, service, slice } from '../plan/objects.ts';

interface Setting {
  readonly mode?: 'CLUSTER' | 'PROXY';
  readonly mirror?: Partial<MirrorRule>;
  readonly isUnguarded?: boolean;
}

function listenerOf({ mode = 'CLUSTER', mirror, isUnguarded = false }: Setting): BoundListener {
  const mirrors: readonly MirrorRule[] =
    mirror === undefined
      ? []
      : [{ host: 'copies', port: undefined, percentage: 100, excludeReadCommands: false, ...mirror }];
  const objects = [
    redisService({
      rules: [rule({ mirrors })],
      annotations: { ...NO_ANNOTATIONS, guards: !isUnguarded },
    }),
    redisDestination({ mode }),
    service(),
    slice(['10.0.0.1']),
    service({ name: 'copies' }),
    slice(['10.0.0.2'], { serviceName: 'copies' }),
  ];
  const [bound] = translateObjects(objects).plan.listeners;
  assert.ok(bound);
  return bound;
}

const cases: [what: string, setting: Setting, commands: readonly string[]][] = [
  ['a Redis Cluster', {}, ['watch']],
  ['plain servers', { mode: 'PROXY' }, ['watch', 'select']],
  ['a mirror of all', { mirror: {} }, ['watch']],
  ['a mirror of writes', { mirror: { excludeReadCommands: true } }, ['watch']],
  ['a mirror of half', { mirror: { percentage: 50 } }, ['watch', 'multi']],
  ['a mirror of nothing', { mirror: { percentage: 0 } }, ['watch']],
  ['all of it without guards', { mode: 'PROXY', mirror: { percentage: 50 }, isUnguarded: true }, []],
];
for (const [what, setting, commands] of cases) {
  test(`${what}: ${commands.join(' and ') || 'nothing'} is guarded`, () => {
    const bound = listenerOf(setting);
    assert.deepEqual(
      guardsOf(bound.listener).map(({ command }) => command),
      commands,
    );
    const { metadata } = listenerMessage(bound, inMessage(String));
    const named = metadata?.filter_metadata?.['redpilot']?.fields?.['guards']?.listValue?.values ?? [];
    assert.deepEqual(
      named.map(({ stringValue }) => stringValue),
      commands,
    );
  });
}
