import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PresentFilter } from '../../src/mesh/manifest.ts';
import { unreadFilters } from '../../src/mesh/unread.ts';

function filterOf(owner: string): readonly [key: string, filter: PresentFilter] {
  const name = `of-${owner.replace('/', '.')}`;
  return [
    `pay/${name}`,
    { metadata: { namespace: 'pay', name, annotations: { 'redpilot.dev/owner': owner } } },
  ];
}

test('unread are the EnvoyFilters of objects that are there and have no plan', () => {
  const present = [filterOf('shop/unread'), filterOf('shop/planned'), filterOf('shop/gone')];
  const known = {
    planned: new Set(['shop/planned']),
    owners: new Map([
      ['shop/planned', 'u1'],
      ['shop/unread', 'u2'],
    ]),
  };
  const owner = { kind: 'RedisService', namespace: 'shop', name: 'unread' };
  assert.deepEqual(unreadFilters(present, known), [{ namespace: 'pay', name: 'of-shop.unread', owner }]);
});
