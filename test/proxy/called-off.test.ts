import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const ANSWERS: Readonly<Record<string, string>> = {
  MULTI: '+OK\r\n',
  'SET k 1': '+QUEUED\r\n',
  'WATCH k': '+OK\r\n',
};

for (const [what, before] of [
  ['DISCARD', 'MULTI\r\nSET k 1\r\n'],
  ['UNWATCH', 'WATCH k\r\n'],
] as const) {
  test(`a connection that ends before it answers ${what} has done as it was told`, async (t) => {
    const { port } = await serverThat(t, (words, socket) => {
      if (words === what) socket.destroy();
      return ANSWERS[words];
    });
    const proxy = await proxyFor(t, planTo(port));
    const client = clientOf(t, proxy.port);
    client.socket.write(`${before}${what}\r\nECHO x\r\n`);
    await eventually('the replies', () => client.got().endsWith('$1\r\nx\r\n') || undefined, {
      seen: () => client.got(),
    });
    assert.match(client.got(), /^(?:\+(?:OK|QUEUED)\r\n)+\$1\r\nx\r\n$/);
  });
}
