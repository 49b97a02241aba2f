import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat, withFault } from './servers.ts';

const MESSAGE = array('message', 'news', '$2\r\nhi');
const CONFIRMATION = array('subscribe', 'news', ':1');

for (const [protocol, hello] of [
  [2, ''],
  [3, 'HELLO 3\r\n'],
] as const) {
  test(`no message comes before the late confirmation of its channel (RESP${protocol})`, async (t) => {
    const redis = await serverThat(t, (words) => {
      if (words.startsWith('subscribe')) return CONFIRMATION + MESSAGE;
      return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
    });
    const fault = { type: 'DELAY', percentage: 100, delayMs: 300, commands: ['subscribe'] } as const;
    const { port } = await proxyFor(t, withFault(planTo(redis.port), fault));
    const client = clientOf(t, port);
    client.socket.write(`${hello}SUBSCRIBE news\r\nGET a\r\n`);
    const begunAt = performance.now();
    const told = `${CONFIRMATION}${MESSAGE}`;
    const asHeard = (): string => client.got().replaceAll('>3\r\n', '*3\r\n');
    await eventually('both', () => asHeard().includes(told) || undefined, { seen: asHeard });
    assert.ok(performance.now() - begunAt >= 290, 'it was not late');
    await eventually(
      'what is behind it',
      () => /can't|OK/i.test(asHeard().split(told)[1] ?? '') || undefined,
      {
        seen: asHeard,
      },
    );
  });
}
