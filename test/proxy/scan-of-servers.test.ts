import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const HOSTS = ['127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24'];
const [FIRST = '', SECOND = '', THIRD = '', FOURTH = ''] = HOSTS;

/** Larger than any that tells of a server. */
const CURSOR = '1234567890';

const page = (cursor: string, key: string): string =>
  `*2\r\n$${cursor.length}\r\n${cursor}\r\n*1\r\n$${key.length}\r\n${key}\r\n`;

/** Each has two pages, and on each a key that says whose it is. Returns their port. */
async function startServers(t: TestContext, cursor = '7'): Promise<number> {
  let port = 0;
  for (const host of HOSTS) {
    const server = await serverThat(
      t,
      (words) => {
        if (!words.startsWith('SCAN')) return '+PONG\r\n';
        return words === 'SCAN 0' ? page(cursor, `${host}-1`) : page('0', `${host}-2`);
      },
      { host, port },
    );
    port = server.port;
  }
  return port;
}

function planTo(port: number, ...hosts: readonly string[]): RoutingPlan {
  const endpoints = hosts.map((address) => ({ address, port, hashKey: `${address}:${port}` }));
  return planToServers({ kind: 'endpoints', endpoints });
}

/** Adds the page's key to `keys`, and returns the next cursor. */
function scanner(t: TestContext, port: number, keys: string[]): (cursor: string) => Promise<string> {
  const client = clientOf(t, port);
  return async (cursor) => {
    const before = client.got().length;
    client.socket.write(`SCAN ${cursor}\r\n`);
    const [, next = '', key = ''] = await eventually(
      'a page',
      () =>
        /^\*2\r\n\$\d+\r\n(\d+)\r\n\*1\r\n\$\d+\r\n([\d.-]+)\r\n$/.exec(client.got().slice(before)) ??
        undefined,
      { seen: () => client.got().slice(before) },
    );
    keys.push(key);
    return next;
  };
}

function assertAll(keys: readonly string[], ...hosts: readonly string[]): void {
  for (const host of hosts)
    assert.ok(keys.includes(`${host}-1`) && keys.includes(`${host}-2`), `${host} in ${keys.join(' ')}`);
}

const has = (proxy: Proxy, host: string): boolean =>
  proxy.status()[0]?.nodes.some(({ address }) => address.startsWith(`${host}:`)) === true;

test('a scan of plain servers passes none over that stays while others come and go', async (t) => {
  const port = await startServers(t);
  const names = resolveTo(t, FIRST, SECOND, THIRD);
  const { port: through, proxy } = await proxyFor(t, planToServers({ kind: 'dns', name: 'servers', port }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const keys: string[] = [];
  const scan = scanner(t, through, keys);
  let cursor = '0';
  for (let count = 1; count <= 3; count++) cursor = await scan(cursor);
  // In another order, as names are told, and without the one that was scanned.
  names.addresses = [THIRD, FOURTH, SECOND];
  await eventually('the other servers', () => has(proxy, FOURTH) || undefined);
  while (cursor !== '0' && keys.length < 20) cursor = await scan(cursor);
  assertAll(keys, SECOND, THIRD);
});

for (const [what, before, after, stay, cursors] of [
  ['one server becomes several', [SECOND], [FIRST, SECOND, THIRD], [SECOND], [CURSOR, '7']],
  ['the server that is being scanned is gone', [FIRST, SECOND, THIRD], [THIRD, FIRST], [FIRST, THIRD], ['7']],
  ['the last one is gone', [FIRST, SECOND, THIRD], [SECOND, FIRST], [FIRST, SECOND], ['7']],
  [
    'its server stands elsewhere',
    [FIRST, SECOND, THIRD],
    [THIRD, SECOND, FIRST],
    [FIRST, SECOND, THIRD],
    ['7'],
  ],
] as const) {
  for (const cursorOfServers of cursors) {
    test(`a scan of plain servers passes none over that stays where ${what} (${cursorOfServers})`, async (t) => {
      const port = await startServers(t, cursorOfServers);
      // After each page, since it is not the same everywhere what is still to come.
      for (let pages = 1; pages < 2 * before.length; pages++) {
        const { port: through, proxy } = await proxyFor(t, planTo(port, ...before));
        await eventually('its servers', () => proxy.notReady() === undefined || undefined);
        const keys: string[] = [];
        const scan = scanner(t, through, keys);
        let cursor = '0';
        for (let count = 1; count <= pages; count++) cursor = await scan(cursor);
        await proxy.update(planTo(port, ...after));
        while (cursor !== '0' && keys.length < 20) cursor = await scan(cursor);
        assert.ok(keys.length < 20, `it ends: ${keys.join(' ')}`);
        assertAll(keys, ...stay);
        await proxy.close();
      }
    });
  }
}
