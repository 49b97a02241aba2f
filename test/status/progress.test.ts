import assert from 'node:assert/strict';
import { test } from 'node:test';

import { progressOf, type Outcome, type Proxy } from '../../src/status/progress.ts';

function proxy(id: string, outcomes: Readonly<Record<string, Outcome | undefined>>): Proxy {
  const resources = Object.keys(outcomes).map((name) => ({ typeUrl: 'type', name, version: '1' }));
  return { id, objects: [{ object: 'redis/cache', resources }], outcomeOf: ({ name }) => outcomes[name] };
}

test('an object is through when every proxy has accepted all of it', () => {
  const accepted: Outcome = { kind: 'accepted' };
  const all = progressOf([proxy('a', { l: accepted, c: accepted }), proxy('b', { l: accepted })]);
  assert.deepEqual(all.get('redis/cache'), { isServed: true, isPending: false, rejections: [] });
});

test('a type that a proxy has not asked for yet is pending', () => {
  const all = progressOf([proxy('a', { l: undefined })]);
  assert.equal(all.get('redis/cache')?.isPending, true);
});

test("of a refusal the words on the object's own resource are kept", () => {
  const message =
    "Error adding/updating listener(s) other: bad value\nl: cannot bind '127.0.0.1:6379': Address already in use\n";
  const all = progressOf([proxy('a', { l: { kind: 'rejected', message } })]);
  assert.deepEqual(all.get('redis/cache')?.rejections, [
    { node: 'a', message: "cannot bind '127.0.0.1:6379': Address already in use" },
  ]);
});

test('a refusal that names nobody is kept whole', () => {
  const all = progressOf([proxy('a', { l: { kind: 'rejected', message: 'unable to decode' } })]);
  assert.equal(all.get('redis/cache')?.rejections[0]?.message, 'unable to decode');
});
