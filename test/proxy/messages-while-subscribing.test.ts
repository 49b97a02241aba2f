import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { array, clientOf, proxyFor } from './servers.ts';

const MIDDLE = 8_000;

/** A channel of the first node, or of the second one. */
function channelAt(node: number): string {
  for (let number = 0; ; number++) {
    const name = `channel${number}`;
    if (slotOf(Buffer.from(name), 0, name.length) < MIDDLE === (node === 0)) return name;
  }
}

const [ONE, OTHER] = [channelAt(0), channelAt(1)];

const message = array('smessage', ONE, '$2\r\nhi');

test('a message does not wait for what another node has to confirm: a later one might come before it', async (t) => {
  const sockets = new Map<string, Socket>();
  const cluster = await clusterThat(t, 2, (words, _, socket) => {
    const [kind = '', channel = ''] = words.split(' ');
    if (kind !== 'ssubscribe') return undefined;
    sockets.set(channel, socket);
    return channel === ONE ? array(kind, channel, ':1') : '';
  });
  cluster.slots = [
    [0, MIDDLE - 1, 0],
    [MIDDLE, 16_383, 1],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  const hears = async (text: string): Promise<void> =>
    void (await eventually(text, () => client.got().endsWith(text) || undefined, {
      seen: () => client.got(),
    }));
  client.socket.write(`SSUBSCRIBE ${ONE}\r\n`);
  await hears(array('ssubscribe', ONE, ':1'));
  client.socket.write(`SSUBSCRIBE ${OTHER}\r\n`);
  const other = await eventually('the other being asked', () => sockets.get(OTHER));
  sockets.get(ONE)?.write(message);
  await hears(message);
  other.write(array('ssubscribe', OTHER, ':1'));
  await hears(array('ssubscribe', OTHER, ':2'));
});
