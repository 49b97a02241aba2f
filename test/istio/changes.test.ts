import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { envoyFiltersOf, ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { Planner } from '../../src/plan/planner.ts';
import { World } from '../../src/world/world.ts';
import { redisDestination, redisService, secret, service } from '../plan/objects.ts';

/** What stands in the EnvoyFilters after each change, as text. */
function textsAfter(...changes: readonly (readonly ApiObject[])[]): readonly string[] {
  let world = World.empty({ clusterDomain: 'cluster.local', completeNamespaces: 'all' });
  const planner = new Planner();
  return changes.map((set) => {
    const next = world.apply({ set, deleted: [] });
    world = next.world;
    planner.update(world, next.changed);
    const options = { ...ISTIO_DEFAULTS, write: (text: SecretText) => text.reveal() };
    return JSON.stringify(envoyFiltersOf(planner.plans(), options).write);
  });
}

const at = (address: string): ApiObject => service({ hasSelector: true, clusterIps: [address] });
const CLUSTER = redisDestination({ mode: 'CLUSTER' });

test('while an object is broken, what was last good of it moves with the address of its Service', () => {
  const broken = redisService({ hosts: ['redis-cluster', 'redis-cluster'] });
  const [, , after = ''] = textsAfter(
    [redisService(), at('10.96.0.1'), CLUSTER],
    [broken],
    [at('10.96.0.2')],
  );
  assert.match(after, /"10\.96\.0\.2_6379"/);
  assert.doesNotMatch(after, /"10\.96\.0\.1_6379"/);
});

test('a password that moves into a Secret is in no EnvoyFilter any more, be it the same one', () => {
  const plain = { kind: 'plain', username: undefined, password: new SecretText('pass-word') } as const;
  const named = { kind: 'secret', name: 'pw', passwordField: undefined, usernameField: undefined } as const;
  const source = { namespace: 'redis', name: 'pw', field: 'password', isTrimmed: false };
  const holder = secret(
    {},
    { name: 'pw', data: new Map([['password', new SecretText('pass-word', source)]]) },
  );
  const [before = '', after = ''] = textsAfter(
    [redisService({ auth: plain }), at('10.96.0.1'), CLUSTER],
    [redisService({ auth: named }), holder],
  );
  assert.match(before, /pass-word/);
  assert.doesNotMatch(after, /pass-word/);
  assert.match(after, /downstream_auth_username/);
});
