import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject } from '../../src/api/objects.ts';
import { tellIdleDestinations } from '../../src/plan/idle-destinations.ts';
import { Desk } from './desk.ts';
import { redisDestination, redisService, rule, service } from './objects.ts';

const away = redisService({
  namespace: 'shop',
  hosts: ['front'],
  rules: [rule({ host: 'redis-cluster.redis' })],
});
const inShop = { namespace: 'shop', host: 'redis-cluster.redis' };

const cases: [what: string, isIdle: boolean, objects: readonly ApiObject[]][] = [
  ['of a host that nobody routes to', true, [redisService({ hosts: ['other'], rules: [] })]],
  [
    'of a host that is governed, and routed elsewhere',
    true,
    [redisService({ rules: [rule({ host: 'other' })] })],
  ],
  ['of the host of a route', false, [redisService()]],
  ['of the governed host of an object without routes', false, [redisService({ rules: [] })]],
  [
    'of replicas',
    false,
    [redisService({ rules: [rule({ host: 'a', reads: { host: 'redis-cluster', port: undefined } })] })],
  ],
  [
    'of the host of a mirror',
    false,
    [
      redisService({
        rules: [
          rule({
            host: 'a',
            mirrors: [
              { host: 'redis-cluster', port: undefined, percentage: 100, excludeReadCommands: false },
            ],
          }),
        ],
      }),
    ],
  ],
  ["in the host's namespace, routed to from another", false, [away]],
];

for (const [what, isIdle, objects] of cases) {
  test(`a RedisDestination ${what} ${isIdle ? 'is told to shape nothing' : 'is not told of'}`, () => {
    const desk = new Desk();
    desk.put(service(), redisDestination(), ...objects);
    assert.equal(tellIdleDestinations(desk.world).length, isIdle ? 1 : 0);
  });
}

test('a RedisDestination counts in the namespace of those who route, and not in a third one', () => {
  const desk = new Desk();
  desk.put(service(), away, redisDestination(inShop), redisDestination({ ...inShop, namespace: 'third' }));
  assert.deepEqual(
    tellIdleDestinations(desk.world).map(({ object }) => object?.namespace),
    ['third'],
  );
});
