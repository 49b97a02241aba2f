import assert from 'node:assert/strict';
import { test } from 'node:test';

import { keptNames } from '../../../src/proxy/client/kept-names.ts';
import { Routing } from '../../../src/proxy/client/routing.ts';
import { UnavailableUpstream } from '../../../src/proxy/upstream/unavailable-upstream.ts';
import { planTo } from '../servers.ts';

const upstream = new UnavailableUpstream();

/** Of the key `k` of the upstream, where all lead there. */
function namesWith(cutOff: readonly string[]): readonly string[] | null {
  const { listener } = planTo(6_379).listeners[0]!;
  const route = listener.routes.catchAll!;
  const prefixes = cutOff.map((prefix) => ({ ...route, prefix, removePrefix: true }));
  const routing = new Routing({ ...listener, routes: { ...listener.routes, prefixes } }, () => upstream);
  const names = keptNames(routing, upstream.invalidations, [Buffer.from('k')]);
  return names === null ? null : names.map((name) => name.toString());
}

const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, number) => `${number}:`);

test('a key is told as it is, and with each begin that is cut off', () => {
  assert.deepEqual(namesWith(['a:', 'b:'])?.toSorted(), ['a:k', 'b:k', 'k']);
});

test('a name whose longer begin is cut off is another key', () => {
  assert.deepEqual(namesWith(['a:', 'a:k'])?.toSorted(), ['a:kk', 'k']);
});

test('of 64 begins that are cut off nobody is told by name', () => {
  assert.equal(namesWith(numbered(63))?.length, 64);
  assert.equal(namesWith(numbered(64)), null);
});
