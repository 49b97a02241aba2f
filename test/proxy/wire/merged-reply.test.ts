import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

for (const [asked, reply] of [
  ['PUBSUB CHANNELS', '$5\r\nhello\r\n'],
  ['PUBSUB NUMSUB news', '$5\r\nhello\r\n'],
  ['PUBSUB CHANNELS', '=9\r\ntxt:hello\r\n'],
] as const) {
  test(`what is no list in answer to ${asked} (${reply.slice(0, 2)}) holds up nobody`, async (t) => {
    const server = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : reply));
    const { port } = await proxyFor(t, planTo(server.port));
    const client = clientOf(t, port);
    client.socket.write(`${asked}\r\nPING\r\n`);
    await eventually('the replies', () => client.got().endsWith('\r\n+PONG\r\n') || undefined);
    assert.match(client.got(), /^[*$=]/);
  });
}
