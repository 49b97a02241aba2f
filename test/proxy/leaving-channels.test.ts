/**
 * What a subscriber is told around leaving channels, by itself or because they move.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { BUSY, array, clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

async function asked(client: Client, words: string, expected: string): Promise<void> {
  const before = client.got().length;
  client.socket.write(`${words}\r\n`);
  await eventually(
    `the reply to ${words}`,
    () => client.got().length >= before + expected.length || undefined,
    {
      seen: () => client.got().slice(before),
    },
  );
  assert.equal(client.got().slice(before), expected);
}

for (const protocol of [2, 3]) {
  test(`what was published before a channel is left comes before that is confirmed, in RESP${protocol}`, async (t) => {
    const pushed = (...[kind, channel, last]: readonly [string, string, string]): string =>
      (protocol === 3 ? '>' : '*') + array(kind, channel, last).slice(1);
    const message = pushed('message', 'c', '$2\r\nhi');
    const { port: serverPort } = await serverThat(t, (asked) => {
      const words = asked.replace(/^\w+/, (name) => name.toUpperCase());
      if (words === 'SUBSCRIBE c') return pushed('subscribe', 'c', ':1');
      if (words === 'UNSUBSCRIBE c') return message + pushed('unsubscribe', 'c', ':0');
      return words.startsWith('HELLO') ? '%0\r\n' : '+PONG\r\n';
    });
    const { port } = await proxyFor(t, planTo(serverPort));
    const client = clientOf(t, port);
    if (protocol === 3) {
      client.socket.write('HELLO 3\r\n');
      await eventually('its protocol', () => client.got().endsWith('modules\r\n*0\r\n') || undefined);
    }
    await asked(client, 'SUBSCRIBE c', pushed('subscribe', 'c', ':1'));
    await asked(client, 'UNSUBSCRIBE c', message + pushed('unsubscribe', 'c', ':0'));
  });
}

test('a channel that its server does not let go is still subscribed to, over the same connection', async (t) => {
  const askedOver = new Set<Socket>();
  const { port: serverPort } = await serverThat(t, (asked, socket) => {
    const words = asked.replace(/^\w+/, (name) => name.toUpperCase());
    const [name = '', channel = ''] = words.split(' ');
    if (name.endsWith('SUBSCRIBE')) askedOver.add(socket);
    if (name === 'SUBSCRIBE') return array('subscribe', channel, ':1');
    return name === 'UNSUBSCRIBE' ? BUSY : '+PONG\r\n';
  });
  const { port } = await proxyFor(t, planTo(serverPort));
  const client = clientOf(t, port);
  await asked(client, 'SUBSCRIBE c', array('subscribe', 'c', ':1'));
  await asked(client, 'UNSUBSCRIBE c', BUSY);
  await asked(client, 'SUBSCRIBE d', array('subscribe', 'd', ':2'));
  assert.equal(askedOver.size, 1);
});

test('a shard channel that moves counts once, also if its client asks for it again', async (t) => {
  let isMoving = true;
  const cluster = await clusterThat(t, 1, (asked) => {
    const words = asked.replace(/^\w+/, (name) => name.toUpperCase());
    const [name, channel = ''] = words.split(' ');
    if (name !== 'SSUBSCRIBE') return undefined;
    const confirmed = array('ssubscribe', channel, ':1');
    if (channel !== '{y}z' || !isMoving) return confirmed;
    isMoving = false;
    return array('sunsubscribe', 'y', ':0') + confirmed;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  await asked(client, 'SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
  await asked(client, 'SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
  await asked(client, 'SSUBSCRIBE y', array('ssubscribe', 'y', ':2'));
});

const CLUSTERDOWN = '-CLUSTERDOWN The cluster is down\r\n';
const MESSAGE = array('smessage', 'y', '$2\r\nhi');

/** One that is subscribed to the shard channel y of a node that is down by now, and says so. */
async function subscribedBeforeItIsDown(t: TestContext, failoverWaitMs: number) {
  let isDown = false;
  const askedOver: Socket[] = [];
  const cluster = await clusterThat(t, 1, (asked, _, socket) => {
    const words = asked.replace(/^\w+/, (name) => name.toUpperCase());
    if (words === 'CLUSTER INFO') return isDown ? '$18\r\ncluster_state:fail\r\n' : undefined;
    const [name = '', channel = ''] = words.split(' ');
    if (name === 'GET') return isDown ? CLUSTERDOWN : '$-1\r\n';
    if (!name.endsWith('SUBSCRIBE')) return undefined;
    askedOver.push(socket);
    return isDown ? CLUSTERDOWN + MESSAGE : array(name.toLowerCase(), channel, ':1');
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  await asked(client, 'SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
  isDown = true;
  clientOf(t, port).socket.write('GET k\r\n');
  await eventually('that it is down', () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined);
  return { client, askedOver, proxy, isUp: () => (isDown = false) };
}

for (const [words, confirmed] of [
  ['SSUBSCRIBE y', array('ssubscribe', 'y', ':1')],
  ['SUNSUBSCRIBE y', array('sunsubscribe', 'y', ':0')],
] as const) {
  test(`a node that refuses ${words} and has the channel is asked again, over the same connection`, async (t) => {
    const { client, askedOver, isUp } = await subscribedBeforeItIsDown(t, 30_000);
    const before = client.got().length;
    client.socket.write(`${words}\r\n`);
    await eventually('the message with the refusal', () => client.got().length > before || undefined);
    isUp();
    await eventually('the confirmation', () => client.got().endsWith(confirmed) || undefined);
    assert.equal(client.got().slice(before).replaceAll(MESSAGE, ''), confirmed);
    assert.equal(new Set(askedOver).size, 1);
  });
}

test('a shard channel that its node never lets go is still subscribed to', async (t) => {
  const { client, proxy, isUp } = await subscribedBeforeItIsDown(t, 200);
  client.socket.write('SUNSUBSCRIBE y\r\n');
  await eventually('the refusal', () => client.got().endsWith(CLUSTERDOWN) || undefined);
  isUp();
  await eventually('that it is up', () => proxy.status()[0]?.nodes[0]?.isUp === true || undefined);
  await asked(client, 'SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
});
