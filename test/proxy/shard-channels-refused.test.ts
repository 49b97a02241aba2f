/**
 * Shard channels of two plain servers in one command: its client is told of both at once, and of a refusal last. To client
 * libraries (ioredis, node-redis) an error is the end of a command: a confirmation behind it would be another command's.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { BUSY, array, clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers } from './several-servers.ts';

const HASH_KEYS = ['one', 'other'];
const TABLE = maglevTable(HASH_KEYS.map((text) => ({ text, weight: 1 })));
const CHANNELS = Array.from({ length: 20 }, (_, index) => `channel${index}`);
const channelsOf = (server: number): readonly string[] =>
  CHANNELS.filter((channel) => maglevHost(TABLE, Buffer.from(channel), false) === server);
const [A = '', A2 = ''] = channelsOf(0);
const [B = '', B2 = ''] = channelsOf(1);

/** `answer`: to what is subscribed to or left; undefined: it is confirmed. */
async function setUp(
  t: TestContext,
  answer: (words: string, server: number, socket: Socket) => string | undefined,
  failoverWaitMs = 100,
) {
  const confirmed = (words: string): string => {
    const [kind = '', ...channels] = words.split(' ');
    return channels.map((channel) => array(kind, channel, ':1')).join('');
  };
  const servers = await Promise.all(
    HASH_KEYS.map(
      async (_, index) =>
        await serverThat(t, (words, socket) => {
          if (!words.startsWith('s')) return words.startsWith('HELLO') ? '%0\r\n' : '+PONG\r\n';
          return answer(words, index, socket) ?? confirmed(words);
        }),
    ),
  );
  const endpoints = servers.map(({ port }, index) => ({
    address: '127.0.0.1',
    port,
    hashKey: HASH_KEYS[index]!,
  }));
  const { port } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }), { failoverWaitMs });
  const client = clientOf(t, port);
  /** Nothing else, and nothing behind it. */
  const asks = async (words: string, ...replies: readonly string[]): Promise<void> => {
    const before = client.got().length;
    const wanted = replies.join('');
    client.socket.write(`${words}\r\n`);
    await eventually(words, () => client.got().length >= before + wanted.length || undefined, {
      seen: () => client.got().slice(before),
    });
    assert.equal(client.got().slice(before), wanted);
  };
  return { client, asks };
}

for (const refusing of [0, 1]) {
  const [refused, confirmed, more] = refusing === 0 ? [A, B, B2] : [B, A, A2];
  test(`where server ${refusing} of two refuses to subscribe, the channel of the other is confirmed before`, async (t) => {
    let isBusy = true;
    const { asks } = await setUp(t, (_, server) => (isBusy && server === refusing ? BUSY : undefined));
    await asks(`SSUBSCRIBE ${A} ${B}`, array('ssubscribe', confirmed, ':1'), BUSY);
    await asks(`SSUBSCRIBE ${more}`, array('ssubscribe', more, ':2'));
    isBusy = false;
    await asks(`SSUBSCRIBE ${refused}`, array('ssubscribe', refused, ':3'));
  });

  test(`where server ${refusing} of two does not let a channel go, that of the other is left`, async (t) => {
    let isBusy = false;
    const { asks } = await setUp(t, (_, server) => (isBusy && server === refusing ? BUSY : undefined));
    await asks(`SSUBSCRIBE ${A} ${B}`, array('ssubscribe', A, ':1'), array('ssubscribe', B, ':2'));
    isBusy = true;
    await asks(`SUNSUBSCRIBE ${A} ${B}`, array('sunsubscribe', confirmed, ':1'), BUSY);
    isBusy = false;
    await asks('SUNSUBSCRIBE', array('sunsubscribe', refused, ':0'));
  });
}

test('what both servers refuse is refused once', async (t) => {
  let isBusy = true;
  const { asks } = await setUp(t, () => (isBusy ? BUSY : undefined));
  await asks(`SSUBSCRIBE ${A} ${B}`, BUSY);
  isBusy = false;
  await asks(`SSUBSCRIBE ${A} ${B}`, array('ssubscribe', A, ':1'), array('ssubscribe', B, ':2'));
});

test('channels of two servers are confirmed in the order in which they are named', async (t) => {
  const { asks } = await setUp(t, () => undefined);
  const words = [A, B, A, A2];
  const counts = [1, 2, 2, 3];
  const confirmed = words.map((channel, index) => array('ssubscribe', channel, `:${counts[index]}`));
  await asks(`SSUBSCRIBE ${words.join(' ')}`, ...confirmed);
});

for (const protocol of [2, 3]) {
  test(`in RESP${protocol} a message of one server waits for the confirmation of the other`, async (t) => {
    const subscribed: Socket[] = [];
    const { client } = await setUp(t, (words, server, socket) => {
      const channel = words.split(' ')[1] ?? '';
      subscribed[server] = socket;
      if (server === 0) return '';
      return array('ssubscribe', channel, ':1') + array('smessage', channel, '$2\r\nhi');
    });
    client.socket.write(`HELLO ${protocol}\r\n`);
    await eventually('its protocol', () => client.got().endsWith('modules\r\n*0\r\n') || undefined);
    const before = client.got().length;
    client.socket.write(`SSUBSCRIBE ${A} ${B}\r\n`);
    await eventually('both being asked', () => (subscribed[0] && subscribed[1]) || undefined);
    // The one has said its message by then.
    subscribed[0]?.write(array('ssubscribe', A, ':1'));
    const wanted = [
      array('ssubscribe', A, ':1'),
      array('ssubscribe', B, ':2'),
      array('smessage', B, '$2\r\nhi'),
    ].join('');
    const expected = protocol === 3 ? wanted.replaceAll('*', '>') : wanted;
    await eventually('all', () => client.got().length >= before + expected.length || undefined);
    assert.equal(client.got().slice(before), expected);
  });
}
