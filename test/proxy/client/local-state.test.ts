import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { addressOf } from '../../../src/api/host-port.ts';
import { LocalState } from '../../../src/proxy/client/local-state.ts';

for (const [seen, told] of [
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['fe80::ffff:1.2.3.4', 'fe80::ffff:1.2.3.4'],
]) {
  test(`a client that came over ${seen} is told ${told}`, () => {
    const socket = { localAddress: seen, localPort: 1, remoteAddress: seen, remotePort: 2 };
    const state = new LocalState(1, socket as Socket, { kind: 'none' });
    assert.deepEqual([state.localHost, state.address], [told, addressOf(told ?? '', 2)]);
  });
}
