import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const page = (cursor: string, key: string): string =>
  `*2\r\n$${cursor.length}\r\n${cursor}\r\n*1\r\n$${key.length}\r\n${key}\r\n`;

test('a scan of plain servers passes none over that stays while others come and go', async (t) => {
  const hosts = ['127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24'];
  let port = 0;
  for (const host of hosts) {
    const server = await serverThat(
      t,
      (words) => {
        if (!words.startsWith('SCAN')) return '+PONG\r\n';
        // Each has two pages.
        return words === 'SCAN 0' ? page('7', `${host}-1`) : page('0', `${host}-2`);
      },
      { host, port },
    );
    port = server.port;
  }
  const [first = '', second = '', third = '', fourth = ''] = hosts;
  const names = resolveTo(t, first, second, third);
  const { port: through, proxy } = await proxyFor(t, planToServers({ kind: 'dns', name: 'servers', port }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, through);
  const keys: string[] = [];
  const scan = async (cursor: string): Promise<string> => {
    const before = client.got().length;
    client.socket.write(`SCAN ${cursor}\r\n`);
    const [, next = '', key = ''] = await eventually(
      'a page',
      () =>
        /^\*2\r\n\$\d+\r\n(\d+)\r\n\*1\r\n\$\d+\r\n([\d.-]+)\r\n$/.exec(client.got().slice(before)) ??
        undefined,
    );
    keys.push(key);
    return next;
  };
  let cursor = '0';
  for (let page = 1; page <= 3; page++) cursor = await scan(cursor);
  // In another order, as names are told, and without the one that was scanned.
  names.addresses = [third, fourth, second];
  await eventually(
    'the other servers',
    () => proxy.status()[0]?.nodes.some(({ address }) => address === `${fourth}:${port}`) || undefined,
  );
  while (cursor !== '0' && keys.length < 20) cursor = await scan(cursor);
  for (const host of [second, third]) {
    assert.ok(keys.includes(`${host}-1`) && keys.includes(`${host}-2`), keys.join(' '));
  }
});
