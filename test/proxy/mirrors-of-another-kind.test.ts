import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { knowsAll, mirrored } from './mirrored.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const OWN_REPLY: Readonly<Record<string, string>> = {
  mset: '+OK\r\n',
  del: ':3\r\n',
  mget: '*2\r\n$-1\r\n$-1\r\n',
};
const answer = (words: string): string | undefined => OWN_REPLY[words.split(' ')[0]?.toLowerCase() ?? ''];

for (const [command, reply, first, second] of [
  ['MSET a 1 b 2 {a}c 3', '+OK\r\n', ['mset b 2'], ['mset a 1 {a}c 3']],
  ['DEL a b {a}c', ':3\r\n', ['del b'], ['del a {a}c']],
  ['MGET a {a}c', '*2\r\n$-1\r\n$-1\r\n', [], ['mget a {a}c']],
] as const) {
  test(`${command} of one server is copied to a cluster in parts, each of one slot`, async (t) => {
    const server = await serverThat(t, (words) => answer(words) ?? '+PONG\r\n');
    const cluster = await clusterThat(t, 2, answer);
    // The slot of b is 3300, that of a 15495.
    cluster.slots = [
      [0, 10_000, 0],
      [10_001, 16_383, 1],
    ];
    const { port, proxy } = await proxyFor(t, mirrored(planTo(server.port), cluster.plan()));
    await knowsAll(proxy);
    const client = clientOf(t, port);
    client.socket.write(`${command}\r\n`);
    await eventually('its reply', () => client.got() === reply || undefined);
    const copies = (node: number): readonly string[] =>
      cluster.askedOf(node).map((words) => words.replace(/^\w+/, (name) => name.toLowerCase()));
    await eventually(
      'the copies',
      () => copies(0).length + copies(1).length >= first.length + second.length || undefined,
    );
    assert.deepEqual([copies(0), copies(1)], [first, second]);
  });
}
