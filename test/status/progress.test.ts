import assert from 'node:assert/strict';
import { test } from 'node:test';

import { progressOf, type Outcome, type ProxyStream } from '../../src/status/progress.ts';

function proxy(
  id: string,
  outcomes: Readonly<Record<string, Outcome | undefined>>,
  object = 'redis/cache',
): ProxyStream {
  const resources = Object.keys(outcomes).map((name) => ({ typeUrl: 'type', name, version: '1' }));
  const objects = [{ object, resources }];
  return { id, view: object, objects, outcomeOf: ({ name }) => outcomes[name] };
}

const ACCEPTED: Outcome = { kind: 'accepted' };
const PENDING: Outcome = { kind: 'pending' };

test('an object is through when every proxy has accepted all of it', () => {
  const all = progressOf([proxy('a', { l: ACCEPTED, c: ACCEPTED }), proxy('b', { l: ACCEPTED })]);
  assert.deepEqual(all.get('redis/cache'), { isServed: true, isPending: false, rejections: [] });
});

test('a type that a proxy has not asked for yet is pending', () => {
  const all = progressOf([proxy('a', { l: undefined })]);
  assert.equal(all.get('redis/cache')?.isPending, true);
});

test('a refusal is told in the words of the proxy', () => {
  const all = progressOf([proxy('a', { l: { kind: 'rejected', message: 'unable to decode' } })]);
  assert.equal(all.get('redis/cache')?.rejections[0]?.message, 'unable to decode');
});

test('a proxy may have a stream for each type', () => {
  const all = progressOf([
    proxy('a', { l: ACCEPTED, c: undefined }),
    proxy('a', { l: undefined, c: ACCEPTED }),
  ]);
  assert.deepEqual(all.get('redis/cache'), { isServed: true, isPending: false, rejections: [] });
});

test('where two proxies have one name the second counts like the first', () => {
  const refused: Outcome = { kind: 'rejected', message: 'no' };
  const all = progressOf([proxy('a', { l: ACCEPTED }), proxy('a', { l: refused })]);
  assert.deepEqual(all.get('redis/cache')?.rejections, [{ node: 'a', message: 'no' }]);
  assert.equal(
    progressOf([proxy('a', { l: ACCEPTED }), proxy('a', { l: PENDING })]).get('redis/cache')?.isPending,
    true,
  );
});

test('proxies of one name in two namespaces get objects of their own', () => {
  const all = progressOf([proxy('a', { l: ACCEPTED }), proxy('a', { m: PENDING }, 'shop/carts')]);
  assert.deepEqual(
    Array.from(all, ([object, { isPending }]) => [object, isPending]),
    [
      ['redis/cache', false],
      ['shop/carts', true],
    ],
  );
});
