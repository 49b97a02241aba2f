import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('shard channels of plain servers follow to where they are published, as servers come and go', async (t) => {
  const answer = (words: string): string => {
    const [name = '', channel = ''] = words.split(' ');
    if (name.toLowerCase() === 'ssubscribe') return array('ssubscribe', channel, ':1');
    return name === 'SPUBLISH' ? ':0\r\n' : '+PONG\r\n';
  };
  const one = await serverThat(t, answer, { host: '127.0.0.31', port: 0 });
  const { port } = one;
  const two = await serverThat(t, answer, { host: '127.0.0.32', port });
  const three = await serverThat(t, answer, { host: '127.0.0.33', port });
  let addresses = ['127.0.0.31', '127.0.0.32'];
  const { lookup } = dns;
  dns.lookup = (async () => addresses.map((address) => ({ address, family: 4 }))) as unknown as typeof lookup;
  syncBuiltinESMExports();
  t.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
  const plan = planTo(port);
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'proxy');
  const servers = { kind: 'dns' as const, name: 'servers', port };
  const upstreams = new Map([[upstream.id, { ...upstream, servers }]]);
  const { port: through, proxy } = await proxyFor(t, { ...plan, upstreams });
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const channels = Array.from({ length: 20 }, (_, index) => `channel:${index}`);
  const [subscriber, publisher] = [clientOf(t, through), clientOf(t, through)];
  subscriber.socket.write(channels.map((channel) => `SSUBSCRIBE ${channel}\r\n`).join(''));
  await eventually('the confirmations', () => subscriber.got().split('*3').length === 21 || undefined);
  const of = (asked: readonly string[], name: string): readonly string[] =>
    asked.filter((words) => words.toLowerCase().startsWith(name)).map((words) => words.split(' ')[1] ?? '');
  // One goes, another comes.
  addresses = ['127.0.0.32', '127.0.0.33'];
  await eventually(
    'the other servers',
    () => proxy.status()[0]?.nodes.some(({ address }) => address.startsWith('127.0.0.33')) || undefined,
  );
  publisher.socket.write(channels.map((channel) => `SPUBLISH ${channel} hi\r\n`).join(''));
  await eventually('the replies', () => publisher.got() === ':0\r\n'.repeat(20) || undefined);
  const isHeard = (channel: string): boolean =>
    [two, three].some(
      ({ asked }) => of(asked, 'spublish').includes(channel) && of(asked, 'ssubscribe').includes(channel),
    );
  await eventually('the subscriptions', () => channels.every(isHeard) || undefined);
});
