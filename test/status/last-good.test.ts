/** What is remembered over a restart with an object whose last good version is in force. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LastGood } from '../../src/status/last-good.ts';
import { Desk } from '../plan/desk.ts';
import { redisService, serviceEntry } from '../plan/objects.ts';

for (const host of ['outside', 'outside.redis', 'outside.redis.svc.cluster.local', 'redis.example.com']) {
  test(`the ServiceEntry of ${host}, by which it was carried out, is remembered when it goes`, () => {
    const desk = new Desk({ completeNamespaces: 'all' });
    const lastGood = new LastGood();
    const follow = (): boolean => {
      const [plan] = desk.planner.plans();
      lastGood.follow(desk.world, 'redis/redis-cluster', plan);
      return plan?.isLastGood === true;
    };
    const entry = serviceEntry({ hosts: [host] });
    const withMistake = redisService({ hosts: [host, 'nowhere'] });
    desk.put(redisService({ hosts: [host] }), entry);
    assert.equal(follow(), false);
    desk.put(withMistake);
    desk.remove(entry);
    assert.equal(follow(), true);
    const stored = lastGood.objects([]).map(({ metadata }) => metadata.name);
    assert.deepEqual(stored, ['outside']);
  });
}
