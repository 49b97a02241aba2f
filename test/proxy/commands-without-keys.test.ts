import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const COUNT = 30;

test('what has no key goes to a plain server that can be asked, while another is dead', async (t) => {
  let isDead = false;
  const [one, other] = [
    await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '+OK\r\n')),
    await serverThat(t, (words, socket) => {
      if (isDead) return void socket.destroy();
      return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
    }),
  ];
  const plan = planTo(one.port);
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'proxy');
  const endpoints = [one, other].map(({ port }) => ({ address: '127.0.0.1', port, hashKey: String(port) }));
  const upstreams = new Map([
    [upstream.id, { ...upstream, servers: { kind: 'endpoints' as const, endpoints } }],
  ]);
  // Nothing that waits for the dead one is answered in the time of the test.
  const { port, proxy } = await proxyFor(t, { ...plan, upstreams }, { failoverWaitMs: 120_000 });
  const client = clientOf(t, port);
  const replies = async (count: number): Promise<void> => {
    await eventually('the replies', () => client.got() === '+OK\r\n'.repeat(count) || undefined);
  };
  client.socket.write('TIME\r\n'.repeat(COUNT));
  await replies(COUNT);
  isDead = true;
  for (const socket of other.sockets) socket.destroy();
  const isKnown = (): boolean =>
    proxy.status()[0]?.nodes.some(({ state }) => state !== 'fit' && state !== 'not asked yet') === true;
  await eventually('its being known to be dead', () => isKnown() || undefined);
  client.socket.write('TIME\r\n'.repeat(COUNT));
  await replies(2 * COUNT);
});

test('where no route is a catch-all INFO is answered all the same, and nothing else without a key', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const plan = planTo(redis.port);
  const [upstream = ''] = plan.upstreams.keys();
  const prefixes = [{ upstream, reads: undefined, mirrors: [], prefix: 'a:', removePrefix: false }];
  const listeners = plan.listeners.map(({ bind, listener }) => {
    return {
      bind,
      listener: { ...listener, routes: { catchAll: undefined, caseInsensitive: false, prefixes } },
    };
  });
  const { port } = await proxyFor(t, { ...plan, listeners });
  const client = clientOf(t, port);
  client.socket.write('INFO\r\nTIME\r\nGET a:1\r\n');
  const wanted = '+OK\r\n-no upstream host\r\n+OK\r\n';
  await eventually('the replies', () => client.got().length === wanted.length || undefined);
  assert.equal(client.got(), wanted);
});
