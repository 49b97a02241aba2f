import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
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
      if (channels.includes('half')) channels.pop();
      return channels.map((channel) => array(kind, channel, ':1').replace('*', '>')).join('');
    }
    return kind === 'BLPOP' || kind === 'ssubscribe' ? undefined : '+OK\r\n';
  });
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  return { client: clientOf(t, port), proxy, subscribed, waiting };
}

const FLOOD_BYTES = 200_000_000;

/** Messages without end, nearly; returns how many bytes were written so far. */
function flood(to: Socket, isWanted: () => boolean): () => number {
  const long = array('message', 'news', `$100000\r\n${'x'.repeat(100_000)}`);
  let written = 0;
  const more = (): void => {
    while (written < FLOOD_BYTES && isWanted()) {
      written += long.length;
      if (!to.write(long)) return void to.once('drain', more);
    }
  };
  more();
  return () => written;
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
  const flooded = flood(subscribed[0]!, () => proxy.clients > 0);
  await eventually('its end', () => proxy.clients === 0 || undefined, { deadlineMs: 30_000 });
  assert.ok(flooded() < FLOOD_BYTES, `${flooded()} bytes were taken in for it`);
});

test('a RESP2 subscriber whose messages wait for a confirmation that does not come is put out', async (t) => {
  const { client, subscribed, proxy } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got() !== '' || undefined);
  client.socket.write('SUBSCRIBE other half\r\n');
  const flooded = flood(subscribed[0]!, () => proxy.clients > 0);
  await eventually('its end', () => proxy.clients === 0 || undefined, { deadlineMs: 30_000 });
  assert.ok(flooded() < FLOOD_BYTES, `${flooded()} bytes were kept for it`);
});

test('a long command of a subscriber that waits for its server is none of the messages that it does not read', async (t) => {
  let subscribed: Socket | undefined;
  const messages = await serverThat(t, (words, socket) => {
    if (!words.startsWith('subscribe')) return '+OK\r\n';
    subscribed = socket;
    return array('subscribe', 'news', ':1').replace('*', '>');
  });
  const [nobody = 0] = await freePorts(1);
  const { upstreams, listeners } = planTo(messages.port);
  const [away] = planTo(nobody).upstreams.values();
  const prefixes = [
    { upstream: 'away', reads: undefined, mirrors: [], prefix: 'away:', removePrefix: false },
  ];
  const { port } = await proxyFor(t, {
    upstreams: new Map([...upstreams, ['away', { ...away!, id: 'away' }]]),
    listeners: listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, routes: { ...listener.routes, prefixes } },
    })),
  });
  const client = clientOf(t, port);
  client.socket.write('HELLO 3\r\nSUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got().includes('subscribe') || undefined);
  const value = 'x'.repeat(40_000_000);
  client.socket.write(`*3\r\n$3\r\nSET\r\n$6\r\naway:k\r\n$${value.length}\r\n${value}\r\n`);
  const tell = setInterval(() => subscribed?.write(MESSAGE), 50);
  t.after(() => clearInterval(tell));
  await eventually('the reply', () => client.hasEnded || client.got().includes('\r\n-') || undefined);
  assert.ok(client.got().includes('-no upstream host\r\n'), client.got());
});

test('a RESP2 subscriber can not change its protocol, as in Redis', async (t) => {
  const { client } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\nHELLO 3\r\n');
  await eventually('the refusal', () => client.got().includes("-ERR Can't execute 'hello'") || undefined, {
    seen: () => client.got(),
  });
});
