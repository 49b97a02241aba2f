import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inRuns, isOfNotifications } from '../../../src/proxy/pubsub/notification-names.ts';

const ROWS: readonly (readonly [kind: string, name: string, isOfNotifications: boolean])[] = [
  ['subscribe', '__keyevent@0__:expired', true],
  ['unsubscribe', '__keyspace@0__:k', true],
  ['subscribe', '__key', false],
  ['subscribe', '__keyfoo', false],
  // Of no pattern: it is what it says.
  ['subscribe', '__key*', false],
  ['subscribe', 'news', false],
  ['psubscribe', '__keyevent@0__:expired', true],
  ['punsubscribe', '__keyspace@*', true],
  ['psubscribe', '__keyevent@*__:expired', true],
  ['psubscribe', '__keyspace@0__:cache:[ab]?', true],
  ['psubscribe', '__key*', true],
  ['psubscribe', '__key*__:*', true],
  ['psubscribe', '__keys*', true],
  ['psubscribe', '__key[es]*@0__:*', true],
  ['psubscribe', '__key?????@0__:*', true],
  ['psubscribe', String.raw`__keyevent\@0__:del`, true],
  ['psubscribe', '__keyfoo*', false],
  ['psubscribe', '__keyeventful*', false],
  ['psubscribe', '__key', false],
  // What everybody publishes would come from each primary.
  ['psubscribe', '*', false],
  ['psubscribe', '_*', false],
  ['psubscribe', '__*', false],
  ['psubscribe', '__ke*', false],
  ['psubscribe', '?_keyevent@0__:expired', false],
  ['psubscribe', '', false],
];

for (const [kind, name, expected] of ROWS) {
  test(`${kind} "${name}" ${expected ? 'is' : 'is not'} of keyspace notifications alone`, () => {
    assert.equal(isOfNotifications(kind, name), expected);
  });
}

test('names are taken together as long as they are asked of the same servers', () => {
  const [first, second] = ['__keyevent@0__:del', '__keyevent@0__:expired'];
  assert.deepEqual(inRuns('subscribe', ['a', 'b', first, second, 'c']), [
    { isOfNotifications: false, names: ['a', 'b'] },
    { isOfNotifications: true, names: [first, second] },
    { isOfNotifications: false, names: ['c'] },
  ]);
});
