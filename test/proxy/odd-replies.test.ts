/**
 * Replies that no Redis gives: what speaks its protocol need not be one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { proxyForHalves } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const MISFITS = '-upstream failure: several servers were asked, and one did not answer as Redis does\r\n';

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

const KINDS: readonly (readonly [asked: string, usual: string, others: readonly string[]])[] = [
  ['KEYS *', '*1\r\n$1\r\na\r\n', ['+OK\r\n', ':1\r\n', '$-1\r\n', '*-1\r\n', '$2\r\n*1\r\n']],
  ['SLOWLOG GET', '*0\r\n', ['+OK\r\n', '*-1\r\n']],
  ['DBSIZE', ':1\r\n', ['+OK\r\n', '$1\r\n1\r\n', '*1\r\n:1\r\n']],
  ['PUBSUB CHANNELS', '*1\r\n$1\r\na\r\n', ['$5\r\nhello\r\n', '*-1\r\n', ':1\r\n']],
  ['PUBSUB NUMSUB a', '*2\r\n$1\r\na\r\n:1\r\n', ['*0\r\n', ':1\r\n', '*2\r\n$1\r\na\r\n+OK\r\n']],
  ['SCRIPT EXISTS a', '*1\r\n:1\r\n', ['*0\r\n', '+OK\r\n', ':1\r\n']],
  ['DEL a b', ':1\r\n', ['+OK\r\n', '$1\r\n1\r\n', '*0\r\n']],
  ['WAIT 1 10', ':1\r\n', ['+OK\r\n', '*0\r\n', `${'*1\r\n'.repeat(20_000)}:1\r\n`]],
  ['WAITAOF 0 1 10', '*2\r\n:1\r\n:1\r\n', ['*1\r\n:1\r\n', ':1\r\n', `${'*1\r\n'.repeat(20_000)}:1\r\n`]],
];
for (const [asked, usual, others] of KINDS) {
  test(`${asked} fails where one of several servers answers what no Redis does`, async (t) => {
    let odd = '';
    const { port } = await proxyForHalves(t, (words, node) => {
      if (words.split(' ')[0]?.toLowerCase() !== asked.split(' ')[0]?.toLowerCase()) return undefined;
      return node === 1 ? odd : usual;
    });
    for (odd of others) {
      const client = clientOf(t, port);
      client.socket.write(`${asked}\r\nPING\r\n`);
      await eventually('the replies', () => client.got().endsWith('+PONG\r\n') || undefined);
      assert.equal(client.got(), `${MISFITS}+PONG\r\n`, odd.slice(0, 40));
    }
  });
}

for (const keys of ['a b', 'a b {a}2']) {
  for (const reply of ['+OK\r\n', '*0\r\n', '*-1\r\n', '$5\r\nhello\r\n']) {
    test(`MGET ${keys} fails where a part of it is answered with ${JSON.stringify(reply)}`, async (t) => {
      const { port } = await proxyForHalves(t, (words, node) => {
        if (!words.toUpperCase().startsWith('MGET')) return undefined;
        const [, ...asked] = words.split(' ');
        return node === 1 ? reply : `*${asked.length}\r\n${'$1\r\nv\r\n'.repeat(asked.length)}`;
      });
      const client = clientOf(t, port);
      client.socket.write(`MGET ${keys}\r\nMGET b\r\n`);
      const wanted = `${MISFITS}*1\r\n$1\r\nv\r\n`;
      await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
        seen: () => client.got(),
      });
      assert.equal(client.got(), wanted);
    });
  }
}
