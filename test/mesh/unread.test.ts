import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { PresentFilter } from '../../src/mesh/manifest.ts';
import { heldByUnread } from '../../src/mesh/unread.ts';

function listening(owner: string, port: number): readonly [key: string, filter: PresentFilter] {
  const name = `redpilot-${port}`;
  const typed = { stat_prefix: 'a:6379' };
  const value = {
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ typed_config: typed }] }],
  };
  const spec = { configPatches: [{ applyTo: 'LISTENER', patch: { value } }] };
  const annotations = { 'redpilot.dev/owner': owner };
  return [`shop/${name}`, { metadata: { namespace: 'shop', name, annotations }, spec }];
}

test('of objects that can not be read the addresses are held, of those that are gone they are not', () => {
  const present = [listening('shop/unread', 1), listening('shop/planned', 2), listening('shop/gone', 3)];
  const known = {
    planned: new Set(['shop/planned']),
    owners: new Map([
      ['shop/planned', 'u1'],
      ['shop/unread', 'u2'],
    ]),
  };
  assert.deepEqual(heldByUnread(present, known), [
    { namespace: 'shop', owner: 'shop/unread', address: '127.0.0.1', port: 1, of: 'a:6379' },
  ]);
});
