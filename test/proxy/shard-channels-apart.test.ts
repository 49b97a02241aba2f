/**
 * Shard channels of one slot that are at two nodes, are on their way from one to another, or whose node refuses everything.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat, type Range } from './scripted-cluster.ts';
import { array, clientOf, proxyFor } from './servers.ts';

const SLOT = slotOf(Buffer.from('y'), 0, 1);
const CLUSTERDOWN = '-CLUSTERDOWN The cluster is down\r\n';

/** The slot of `y` is this node's. */
function mapWithSlotAt(node: number): readonly Range[] {
  return [
    [0, 99, 0],
    [100, SLOT - 1, 1],
    [SLOT, SLOT, node],
    [SLOT + 1, 16_000, 2],
    // Of `x`, among others.
    [16_001, 16_383, 0],
  ];
}

/** `answer`: to what is subscribed to or left, in lower case; undefined: it is confirmed. */
async function setUp(
  t: TestContext,
  answer: (words: string, node: number, socket: Socket) => string | undefined,
  failoverWaitMs = 30_000,
) {
  const cluster = await clusterThat(t, 3, (asked, node, socket) => {
    const words = asked.replace(/^\w+/, (name) => name.toLowerCase());
    const [kind = '', ...channels] = words.split(' ');
    if (kind === 'get') return node === 1 ? '$-1\r\n' : movedTo(1);
    if (!kind.endsWith('subscribe')) return undefined;
    return answer(words, node, socket) ?? channels.map((channel) => array(kind, channel, ':1')).join('');
  });
  cluster.slots = mapWithSlotAt(0);
  const movedTo = (node: number): string => `-MOVED ${SLOT} ${cluster.addressOf(node)}\r\n`;
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  const hears = async (text: string): Promise<void> => {
    await eventually(text, () => client.got().endsWith(text) || undefined, { seen: () => client.got() });
  };
  const asks = async (words: string, ...confirmed: readonly string[]): Promise<void> => {
    client.socket.write(`${words}\r\n`);
    await hears(confirmed.join(''));
  };
  /** What subscribers were asked for. */
  const askedOf = (node: number): readonly string[] =>
    cluster.askedOf(node).filter((words) => words.includes('subscribe'));
  const isAsked = async (node: number, words: string, times = 1): Promise<void> => {
    const count = (): number => askedOf(node).filter((each) => each === words).length;
    await eventually(`${words} at ${node}`, () => count() >= times || undefined, {
      seen: () => askedOf(node).join('; '),
    });
  };
  const moveSlot = async (): Promise<void> => {
    cluster.slots = mapWithSlotAt(1);
    const other = clientOf(t, port);
    other.socket.write('GET y\r\n');
    await eventually('the new map', () => other.got() === '$-1\r\n' || undefined);
  };
  return { cluster, client, asks, askedOf, isAsked, hears, moveSlot, movedTo };
}

for (const [words, ofFirst, ofSecond] of [
  ['SUNSUBSCRIBE y {y}z', 'sunsubscribe y', 'sunsubscribe {y}z'],
  ['SUNSUBSCRIBE {y}z y', 'sunsubscribe y', 'sunsubscribe {y}z'],
  ['SSUBSCRIBE {y}z y', 'ssubscribe y', 'ssubscribe {y}z'],
] as const) {
  test(`${words} asks each of the two nodes that have these channels for its own`, async (t) => {
    const { asks, client, askedOf, moveSlot } = await setUp(t, () => undefined);
    await asks('SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
    // The first node has not heard of it.
    await moveSlot();
    await asks('SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
    const before = client.got().length;
    client.socket.write(`${words}\r\n`);
    const [kind = '', ...channels] = words.toLowerCase().split(' ');
    await eventually(
      'two confirmations',
      () => client.got().slice(before).split('*3').length > 2 || undefined,
    );
    const counts = kind === 'ssubscribe' ? [2, 2] : [1, 0];
    const confirmed = channels.map((channel, index) => array(kind, channel, `:${counts[index]}`));
    assert.equal(client.got().slice(before), confirmed.join(''));
    assert.equal(askedOf(0).at(-1), ofFirst);
    assert.equal(askedOf(1).at(-1), ofSecond);
  });
}

for (const [words, counts] of [
  ['SUNSUBSCRIBE y {y}z', [1, 0]],
  ['SSUBSCRIBE {y}zz y', [3, 3]],
] as const) {
  test(`${words} that is redirected is confirmed with the counts of one connection`, async (t) => {
    let isMoved = false;
    const { asks, cluster, movedTo } = await setUp(t, (_, node) =>
      isMoved && node === 0 ? movedTo(1) : undefined,
    );
    await asks('SSUBSCRIBE y {y}z', array('ssubscribe', 'y', ':1'), array('ssubscribe', '{y}z', ':2'));
    isMoved = true;
    cluster.slots = mapWithSlotAt(1);
    const [kind = '', ...channels] = words.toLowerCase().split(' ');
    await asks(words, ...channels.map((channel, index) => array(kind, channel, `:${counts[index]}`)));
  });
}

test('a shard channel that moves while its client asks for it again is subscribed to once', async (t) => {
  let isMoved = false;
  const subscribed: Socket[] = [];
  const { asks, client, hears, isAsked, moveSlot, movedTo } = await setUp(t, (words, node, socket) => {
    if (words !== 'ssubscribe y') return undefined;
    if (node === 0 && isMoved) {
      // While the proxy waits for this it may have looked for the new node once already.
      void sleep(25).then(() => socket.write(movedTo(1)));
      return array('sunsubscribe', 'y', ':0');
    }
    if (node !== 1) return undefined;
    subscribed.push(socket);
    if (subscribed.length > 1) return undefined;
    socket.destroy();
    return '';
  });
  await asks('SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
  await moveSlot();
  isMoved = true;
  client.socket.write('SSUBSCRIBE y\r\n');
  await isAsked(1, 'ssubscribe y', 2);
  await hears(array('ssubscribe', 'y', ':1'));
  await asks('SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
  for (const socket of new Set(subscribed)) {
    if (!socket.destroyed) socket.write(array('smessage', 'y', '$2\r\nhi'));
  }
  await asks('SSUBSCRIBE {y}zz', array('ssubscribe', '{y}zz', ':3'));
  assert.equal(client.got().split('smessage').length, 2);
});

for (const words of ['SSUBSCRIBE y', 'SUNSUBSCRIBE y']) {
  test(`who is refused ${words}, as its slot is always elsewhere, has its subscription`, async (t) => {
    let isMoving = false;
    let confirmed = 0;
    const { asks, movedTo } = await setUp(
      t,
      (asked) => {
        if (!isMoving && asked === 'ssubscribe y') confirmed += 1;
        return isMoving ? movedTo(2) : undefined;
      },
      200,
    );
    await asks('SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
    isMoving = true;
    await asks(words, movedTo(2));
    isMoving = false;
    await eventually('the subscription', () => confirmed === 2 || undefined);
    await asks('SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
  });
}

test('a channel that is not let go is subscribed to, also where that was refused after a lost connection', async (t) => {
  let isDown = false;
  let refused = 0;
  let confirmed = 0;
  const { asks, client, hears, isAsked, cluster } = await setUp(
    t,
    (words) => {
      if (!isDown && words === 'ssubscribe y') confirmed += 1;
      if (!isDown) return undefined;
      refused += 1;
      // Nothing is said of the subscription made again before its client leaves the channel.
      return CLUSTERDOWN.repeat(refused > 2 ? 1 : 2 * (refused - 1));
    },
    200,
  );
  await asks('SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
  isDown = true;
  for (const socket of cluster.nodes[0]?.sockets ?? []) socket.destroy();
  await isAsked(0, 'ssubscribe y', 2);
  client.socket.write('SUNSUBSCRIBE y\r\n');
  await hears(CLUSTERDOWN);
  isDown = false;
  await eventually('the subscription', () => confirmed === 2 || undefined);
  await asks('SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
});

test('a node that lets a channel go while its client leaves it is not taken to refuse what is asked next', async (t) => {
  const sockets = new Set<Socket>();
  const { asks, client, askedOf, movedTo } = await setUp(t, (words, _, socket) => {
    sockets.add(socket);
    if (words === 'sunsubscribe y') return array('sunsubscribe', 'y', ':1');
    // The answer to that comes with this one's.
    return words === 'ssubscribe x' ? movedTo(1) + array('ssubscribe', 'x', ':2') + movedTo(1) : undefined;
  });
  await asks('SSUBSCRIBE y', array('ssubscribe', 'y', ':1'));
  await asks('SSUBSCRIBE {y}z', array('ssubscribe', '{y}z', ':2'));
  await asks('SUNSUBSCRIBE y', array('sunsubscribe', 'y', ':1'));
  const before = client.got();
  await asks('SSUBSCRIBE x', array('ssubscribe', 'x', ':2'));
  assert.equal(client.got().slice(before.length), array('ssubscribe', 'x', ':2'));
  await asks('SUNSUBSCRIBE {y}z', array('sunsubscribe', '{y}z', ':1'));
  assert.equal(sockets.size, 1);
  assert.equal(askedOf(0).filter((words) => words === 'ssubscribe x').length, 1);
});
