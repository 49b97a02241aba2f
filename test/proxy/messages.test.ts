import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** A Redis that confirms subscriptions, as RESP3 has it after HELLO, and answers no blocking command until it is told to. */
async function setUp(t: TestContext) {
  const subscribed: Socket[] = [];
  const waiting: Socket[] = [];
  const redis = await serverThat(t, (words, socket) => {
    const [kind = '', ...channels] = words.split(' ');
    if (kind === 'BLPOP') waiting.push(socket);
    if (kind === 'subscribe') {
      subscribed.push(socket);
      return channels.map((channel) => array(kind, channel, ':1').replace('*', '>')).join('');
    }
    return kind === 'BLPOP' ? undefined : '+OK\r\n';
  });
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  return { client: clientOf(t, port), proxy, subscribed, waiting };
}

const MESSAGE = array('message', 'news', '$2\r\nhi').replace('*', '>');

test('a message does not wait for the reply to a blocking command', async (t) => {
  const { client, subscribed, waiting } = await setUp(t);
  client.socket.write('HELLO 3\r\nSUBSCRIBE news\r\nBLPOP q 0\r\n');
  await eventually('the command', () => waiting.length === 1 || undefined);
  const before = client.got();
  subscribed[0]?.write(MESSAGE);
  await eventually('the message', () => client.got().length > before.length || undefined);
  waiting[0]?.write('_\r\n');
  const wanted = `${before}${MESSAGE}_\r\n`;
  await eventually('the reply', () => client.got().length >= wanted.length || undefined);
  assert.equal(client.got(), wanted);
});

test('a subscriber that does not read is put out, as Redis does it', async (t) => {
  const { client, subscribed, proxy } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got() !== '' || undefined);
  client.socket.pause();
  const long = array('message', 'news', `$100000\r\n${'x'.repeat(100_000)}`);
  let written = 0;
  const flood = (): void => {
    while (written < 200_000_000 && proxy.clients > 0) {
      written += long.length;
      if (subscribed[0]?.write(long) !== true) return void subscribed[0]?.once('drain', flood);
    }
  };
  flood();
  await eventually('its end', () => proxy.clients === 0 || undefined, { deadlineMs: 30_000 });
  assert.ok(written < 200_000_000, `${written} bytes were taken in for it`);
});

test('a RESP2 subscriber can not change its protocol, as in Redis', async (t) => {
  const { client } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\nHELLO 3\r\n');
  await eventually('the refusal', () => client.got().includes("-ERR Can't execute 'hello'") || undefined, {
    seen: () => client.got(),
  });
});
