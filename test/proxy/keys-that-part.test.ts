/**
 * Keys that were at one plain server, which can't be asked, and are at two by the time there are others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const [DEAD, ONE, OTHER] = ['127.0.0.31', '127.0.0.32', '127.0.0.33'];

/** A key for each of the two, from `key:first` on. */
function keysAt(port: number, first = 0): readonly [string, string] {
  const table = maglevTable([ONE, OTHER].map((address) => ({ text: `${address}:${port}`, weight: 1 })));
  const keyAt = (server: number): string => {
    let number = first;
    while (maglevHost(table, Buffer.from(`key:${number}`), false) !== server) number += 1;
    return `key:${number}`;
  };
  return [keyAt(0), keyAt(1)];
}

test('what waits with keys that are apart by then goes in parts, before what was asked behind it', async (t) => {
  const answer = (words: string): string => (words === 'PING' ? '+PONG\r\n' : '+OK\r\n');
  const one = await serverThat(t, answer, { host: ONE, port: 0 });
  const { port } = one;
  const other = await serverThat(t, answer, { host: OTHER, port });
  const [a, b] = keysAt(port);
  const names = resolveTo(t, DEAD);
  const plan = planToServers({ kind: 'dns', name: 'servers', port });
  const { port: through, proxy } = await proxyFor(t, plan, { failoverWaitMs: 60_000 });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, through);
  client.socket.write(`MSET ${a} 1 ${b} 1\r\nRENAME ${a} ${b}\r\nSET ${a} 2\r\nSET ${b} 2\r\n`);
  await eventually('their waiting', () => proxy.status()[0]?.events['held'] === 4 || undefined);
  names.addresses = [ONE, OTHER];
  const replies = await eventually(
    'the replies',
    () => (client.got().split('\r\n').length === 5 ? client.got() : undefined),
    { deadlineMs: 20_000, seen: () => client.got() },
  );
  assert.equal(replies, "+OK\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n+OK\r\n+OK\r\n");
  const commands = ({ asked }: typeof one): readonly string[] => asked.filter((words) => words !== 'PING');
  assert.deepEqual(commands(one), [`mset ${a} 1`, `SET ${a} 2`]);
  assert.deepEqual(commands(other), [`mset ${b} 1`, `SET ${b} 2`]);
});

test('of many keys that wait each server gets one part', async (t) => {
  const answer = (words: string): string => {
    if (words === 'PING') return '+PONG\r\n';
    const [name, ...keys] = words.split(' ');
    if (name !== 'mget') return `:${keys.length}\r\n`;
    return `*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`;
  };
  const one = await serverThat(t, answer, { host: ONE, port: 0 });
  const { port } = one;
  const other = await serverThat(t, answer, { host: OTHER, port });
  const [[a, b], [c, d]] = [keysAt(port), keysAt(port, 100)];
  const names = resolveTo(t, DEAD);
  const plan = planToServers({ kind: 'dns', name: 'servers', port });
  const { port: through, proxy } = await proxyFor(t, plan, { failoverWaitMs: 60_000 });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, through);
  const keys = [d, a, b, c, a];
  client.socket.write(`MGET ${keys.join(' ')}\r\nDEL ${keys.join(' ')}\r\n`);
  await eventually('their waiting', () => proxy.status()[0]?.events['held'] === 2 || undefined);
  names.addresses = [ONE, OTHER];
  const wanted = `*5\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}:5\r\n`;
  await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
    deadlineMs: 20_000,
    seen: () => client.got(),
  });
  assert.equal(client.got(), wanted);
  const commands = ({ asked }: typeof one): readonly string[] => asked.filter((words) => words !== 'PING');
  assert.deepEqual(commands(one), [`mget ${a} ${c} ${a}`, `del ${a} ${c} ${a}`]);
  assert.deepEqual(commands(other), [`mget ${d} ${b}`, `del ${d} ${b}`]);
});
