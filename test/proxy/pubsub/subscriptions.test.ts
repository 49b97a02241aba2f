import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../../src/plan/routing-plan.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { clusterThat } from '../scripted-cluster.ts';
import { BUSY, array, clientOf, planTo, proxyFor, serverThat, type Client, type Server } from '../servers.ts';

/** Confirms each channel. */
async function subscribable(t: TestContext): Promise<Server> {
  return await serverThat(t, (words) => {
    const [kind = '', ...channels] = words.split(' ');
    if (!kind.endsWith('subscribe')) return '+OK\r\n';
    return channels.map((channel) => array(kind, channel, ':1')).join('');
  });
}

interface Scene {
  readonly client: Client;
  readonly first: Server;
  readonly second: Server;
  readonly toSecond: () => Promise<void>;
  readonly proxy: Proxy;
  readonly port: number;
}

function withoutCatchAll(plan: RoutingPlan): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, routes: { ...listener.routes, catchAll: undefined } },
  }));
  return { ...plan, upstreams: new Map(), listeners };
}

async function setUp(t: TestContext): Promise<Scene> {
  const [first, second] = [await subscribable(t), await subscribable(t)];
  const { proxy, port } = await proxyFor(t, planTo(first.port));
  return {
    client: clientOf(t, port),
    first,
    second,
    proxy,
    port,
    toSecond: () => proxy.update(planTo(second.port)),
  };
}

async function asked(server: Server, words: string, times = 1): Promise<void> {
  const count = (): number => server.asked.filter((each) => each === words).length;
  await eventually(words, () => count() >= times || undefined, { seen: () => server.asked.join('; ') });
}

test('subscriptions go with the plan to another upstream', async (t) => {
  const { client, first, second, toSecond } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got() === array('subscribe', 'news', ':1') || undefined);
  await toSecond();
  await asked(second, 'subscribe news');
  await eventually('the end of the old connection', () => first.sockets.size === 0 || undefined);
  client.socket.write('SUBSCRIBE sports\r\n');
  await asked(second, 'subscribe sports');
  for (const socket of second.sockets) socket.write(array('message', 'news', '$2\r\nhi'));
  await eventually('a message', () => client.got().includes('hi') || undefined);
});

test('subscriptions of an upstream that is gone are made again at the one that the plan has', async (t) => {
  const { client, second, toSecond } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got() !== '' || undefined);
  await toSecond();
  await asked(second, 'subscribe news');
  for (const socket of second.sockets) socket.destroy();
  await asked(second, 'subscribe news', 2);
});

test('who is subscribed stays so at a server that was busy with a script when that was asked of it', async (t) => {
  const { client, proxy } = await setUp(t);
  client.socket.write('SUBSCRIBE news\r\nPSUBSCRIBE n*\r\n');
  await eventually('the confirmation', () => client.got().includes('psubscribe') || undefined);
  const before = client.got();
  let isBusy = true;
  const second = await serverThat(t, (words) => {
    const [kind = '', channel = ''] = words.split(' ');
    if (isBusy) return BUSY;
    return kind.endsWith('subscribe') ? array(kind, channel, ':1') : '+PONG\r\n';
  });
  await proxy.update(planTo(second.port));
  await asked(second, 'subscribe news');
  isBusy = false;
  await asked(second, 'subscribe news', 2);
  await asked(second, 'psubscribe n*');
  assert.equal(client.got(), before);
});

test('a node that does not do READONLY has no say in subscriptions', async (t) => {
  const cluster = await clusterThat(t, 2, (words) => {
    if (words === 'READONLY') return BUSY;
    return words.startsWith('subscribe') ? array('subscribe', 'news', ':1') : undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('REPLICA'));
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), array('subscribe', 'news', ':1'));
});

test('who is subscribed where the plan has nobody any more is disconnected, and nobody else', async (t) => {
  const { first, client, port, proxy } = await setUp(t);
  const other = clientOf(t, port);
  client.socket.write('SUBSCRIBE news\r\n');
  other.socket.write('SUBSCRIBE news\r\nUNSUBSCRIBE news\r\n');
  await eventually('a subscriber', () => client.got().includes('news') || undefined);
  await eventually('one that was', () => other.got().includes('unsubscribe') || undefined);
  await proxy.update(withoutCatchAll(planTo(first.port)));
  await eventually('its end', () => client.hasEnded || undefined);
  other.socket.write('PING\r\n');
  await eventually('a reply', () => other.got().endsWith('+PONG\r\n') || undefined);
  await eventually('no connection to Redis', () => first.sockets.size === 0 || undefined);
});

test('shard channels go with the plan, too, each in a command of its own', async (t) => {
  const { client, second, toSecond } = await setUp(t);
  client.socket.write('SSUBSCRIBE one\r\nSSUBSCRIBE two\r\n');
  await eventually('both', () => client.got().includes('two') || undefined);
  await toSecond();
  await asked(second, 'ssubscribe one');
  await asked(second, 'ssubscribe two');
});

test('who leaves many shard channels at once leaves those of a server together', async (t) => {
  const { client, first } = await setUp(t);
  client.socket.write('SSUBSCRIBE one two\r\nSSUBSCRIBE three\r\nSUNSUBSCRIBE\r\n');
  await asked(first, 'sunsubscribe one two three');
  const left = ['one', 'two', 'three'].map((channel, index) =>
    array('sunsubscribe', channel, `:${2 - index}`),
  );
  await eventually('the replies', () => client.got().endsWith(left.join('')) || undefined);
});

test('what PING and ECHO send back is what came, byte for byte, also among subscriptions', async (t) => {
  const { client } = await setUp(t);
  const send = (word: string): void => {
    client.socket.write(`*2\r\n$4\r\n${word}\r\n$2\r\n\xff\x80\r\n`, 'latin1');
  };
  send('ECHO');
  send('PING');
  await eventually('both', () => client.got().length >= 16 || undefined);
  assert.equal(client.got(), '$2\r\n\xff\x80\r\n'.repeat(2));
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got().includes('news') || undefined);
  send('PING');
  await eventually('the last', () => client.got().includes('pong') || undefined);
  assert.ok(client.got().endsWith('*2\r\n$4\r\npong\r\n$2\r\n\xff\x80\r\n'), client.got());
});

test('a channel stays subscribed when Redis refuses a later SUBSCRIBE to it and others', async (t) => {
  const redis = await serverThat(t, (words) => {
    if (words === 'subscribe news secret') return '-NOPERM no\r\n';
    return words === 'subscribe news' ? array('subscribe', 'news', ':1') : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  const client = clientOf(t, port);
  client.socket.write('SUBSCRIBE news\r\nSUBSCRIBE news secret\r\n');
  await eventually('the refusal', () => client.got().endsWith('-NOPERM no\r\n') || undefined);
  for (const socket of redis.sockets) socket.destroy();
  await asked(redis, 'subscribe news', 2);
});
