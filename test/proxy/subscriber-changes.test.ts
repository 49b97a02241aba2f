import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** A Redis that confirms in the protocol of the connection. */
async function setUp(t: TestContext) {
  const isResp3 = new WeakSet<Socket>();
  const subscribed = new Set<Socket>();
  const redis = await serverThat(t, (words, socket) => {
    const [kind = '', channel = ''] = words.split(' ');
    if (kind === 'HELLO') isResp3.add(socket);
    if (!kind.endsWith('subscribe')) return '+OK\r\n';
    subscribed.add(socket);
    const confirmation = array(kind, channel, kind.includes('un') ? ':0' : ':1');
    const told = isResp3.has(socket) ? confirmation.replace('*', '>') : confirmation;
    return channel === '' ? told.replace('$0\r\n\r\n', isResp3.has(socket) ? '_\r\n' : '$-1\r\n') : told;
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  return { redis, subscribed, client: clientOf(t, port) };
}

test('a subscriber that goes back to RESP2 gets its messages in RESP2', async (t) => {
  const { subscribed, client } = await setUp(t);
  client.socket.write('HELLO 3\r\nSUBSCRIBE n\r\n');
  await eventually('the subscription', () => client.got().includes('subscribe') || undefined);
  const before = client.got().length;
  client.socket.write('HELLO 2\r\n');
  await eventually('RESP2', () => client.got().slice(before).includes('proto') || undefined);
  const greeted = client.got().length;
  const message = array('message', 'n', '$2\r\nhi');
  for (const socket of subscribed) socket.write(message.replace('*', '>'));
  client.socket.write('UNSUBSCRIBE n\r\n');
  await eventually('both', () => client.got().includes('unsubscribe') || undefined);
  assert.equal(client.got().slice(greeted), `${message}${array('unsubscribe', 'n', ':0')}`);
});

test('a subscriber that goes back to RESP2 and leaves what it does not have is told so in RESP2', async (t) => {
  const { client } = await setUp(t);
  client.socket.write('HELLO 3\r\nSUBSCRIBE n\r\nHELLO 2\r\nPUNSUBSCRIBE\r\n');
  await eventually('the reply', () => client.got().includes('punsubscribe') || undefined);
  assert.match(client.got(), /\*3\r\n\$12\r\npunsubscribe\r\n\$-1\r\n:1\r\n$/);
});

test('what a subscriber published before does not come by what it subscribes to behind it', async (t) => {
  let isPublished = false;
  const asked: string[] = [];
  const redis = await serverThat(t, (words, socket) => {
    const [kind = '', channel = ''] = words.split(' ');
    asked.push(kind);
    if (kind.endsWith('subscribe')) return array(kind, channel, ':1');
    if (kind !== 'PUBLISH') return '+OK\r\n';
    // Longer than all that could overtake it takes.
    setTimeout(() => {
      isPublished = !asked.includes('psubscribe');
      socket.write(':0\r\n');
    }, 50);
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('UNSUBSCRIBE n\r\nPUBLISH n hi\r\nPSUBSCRIBE n*\r\n');
  const confirmation = array('psubscribe', 'n*', ':1');
  await eventually('the subscription', () => client.got().endsWith(confirmation) || undefined);
  assert.ok(isPublished, 'it was subscribed to before');
});

test('who changes to RESP3 when it has left its channels gets messages as pushes', async (t) => {
  const { subscribed, client } = await setUp(t);
  client.socket.write('SUBSCRIBE n\r\nUNSUBSCRIBE n\r\nHELLO 3\r\nSUBSCRIBE n\r\n');
  const confirmation = array('subscribe', 'n', ':1').replace('*', '>');
  await eventually('a confirmation', () => client.got().endsWith(confirmation) || undefined);
  const message = array('message', 'n', '$2\r\nhi');
  for (const socket of subscribed) socket.write(message);
  await eventually('it', () => client.got().endsWith(message.replace('*', '>')) || undefined);
});

test('who has left all its shard channels keeps no connection for them', async (t) => {
  const { redis, subscribed, client } = await setUp(t);
  client.socket.write('SSUBSCRIBE n\r\n');
  await eventually('the subscription', () => client.got().includes('ssubscribe') || undefined);
  client.socket.write('SUNSUBSCRIBE n\r\n');
  await eventually('the connection being closed', () =>
    [...subscribed].some((socket) => redis.sockets.has(socket)) ? undefined : true,
  );
  client.socket.write('SSUBSCRIBE n\r\n');
  const wanted = [array('ssubscribe', 'n', ':1'), array('sunsubscribe', 'n', ':0')];
  await eventually('another one', () => client.got() === `${wanted.join('')}${wanted[0]}` || undefined, {
    seen: () => client.got(),
  });
});
