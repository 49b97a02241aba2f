import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { array, clientOf, proxyFor } from './servers.ts';

/** Of three slots. */
const CHANNELS = ['one', 'two', 'three'];

test('what follows SUNSUBSCRIBE from all waits for the last confirmation', async (t) => {
  let subscribed: Socket | undefined;
  const redis = await clusterThat(t, 1, (words, _, socket) => {
    const [kind = '', channel = ''] = words.split(' ');
    if (kind === 'ssubscribe') return array(kind, channel, ':1');
    if (kind === 'BLPOP' || kind === 'GET') return kind === 'GET' ? '+OK\r\n' : '*-1\r\n';
    if (kind !== 'sunsubscribe') return undefined;
    subscribed = socket;
    return undefined;
  });
  const { port } = await proxyFor(t, redis.plan(), { failoverWaitMs: 20_000 });
  const client = clientOf(t, port);
  for (const channel of CHANNELS) client.socket.write(`SSUBSCRIBE ${channel}\r\n`);
  await eventually('all three', () => client.got().includes('three') || undefined);
  const before = client.got().length;
  client.socket.write('SUNSUBSCRIBE\r\nBLPOP q 1\r\nGET a\r\n');
  const asked = (start: string): number => redis.askedOf(0).filter((words) => words.startsWith(start)).length;
  await eventually('the commands', () => asked('sunsubscribe') === CHANNELS.length || undefined);
  const confirmations = CHANNELS.map((channel, index) => array('sunsubscribe', channel, `:${2 - index}`));
  const last = confirmations.at(-1) ?? '';
  for (const confirmation of confirmations.slice(0, -1)) subscribed?.write(confirmation);
  // By the time at which others are answered it has heard them.
  const other = clientOf(t, port);
  other.socket.write('GET b\r\n');
  await eventually('another', () => other.got() === '+OK\r\n' || undefined);
  assert.equal(asked('BLPOP'), 0);
  subscribed?.write(last);
  const wanted = [...confirmations, '*-1\r\n', '+OK\r\n'].join('');
  await eventually('the last', () => client.got().length >= before + wanted.length || undefined, {
    seen: () => client.got().slice(before),
  });
  assert.equal(client.got().slice(before), wanted);
});
