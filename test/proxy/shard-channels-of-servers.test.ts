import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { array, clientOf, proxyFor, serverThat, type Server } from './servers.ts';
import { planToServers } from './several-servers.ts';

test('among plain servers SPUBLISH and SSUBSCRIBE find each other, whatever their hash tags', async (t) => {
  const servers = [0, 1].map(() =>
    serverThat(t, (words) => {
      const [name = '', channel = ''] = words.split(' ');
      if (name === 'ssubscribe') return array(name, channel, ':1');
      return name === 'SPUBLISH' ? ':0\r\n' : '+PONG\r\n';
    }),
  );
  const [one, other] = await Promise.all(servers);
  assert.ok(one && other);
  const endpoints = [one, other].map(({ port }) => ({ address: '127.0.0.1', port, hashKey: String(port) }));
  const { port } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }));
  const channels = Array.from({ length: 20 }, (_, index) => `{tag}${index}`);
  const [subscriber, publisher] = [clientOf(t, port), clientOf(t, port)];
  subscriber.socket.write(channels.map((channel) => `SSUBSCRIBE ${channel}\r\n`).join(''));
  publisher.socket.write(channels.map((channel) => `SPUBLISH ${channel} hi\r\n`).join(''));
  await eventually('the confirmations', () => subscriber.got().split('*3').length === 21 || undefined);
  await eventually('the replies', () => publisher.got() === ':0\r\n'.repeat(20) || undefined);
  const of = (asked: readonly string[], name: string): readonly string[] =>
    asked.filter((words) => words.startsWith(name)).map((words) => words.split(' ')[1] ?? '');
  assert.deepEqual(of(one.asked, 'ssubscribe'), of(one.asked, 'SPUBLISH'));
});

test('shard channels follow where hash tags count from some moment on, and where they do no longer', async (t) => {
  const servers = [0, 1].map(() =>
    serverThat(t, (words) => {
      const [name = '', channel = ''] = words.split(' ');
      return name === 'ssubscribe' ? array(name, channel, ':1') : '+PONG\r\n';
    }),
  );
  const [one, other] = await Promise.all(servers);
  assert.ok(one && other);
  const endpoints = [one, other].map(({ port }) => ({ address: '127.0.0.1', port, hashKey: String(port) }));
  const plan = planToServers({ kind: 'endpoints', endpoints });
  const { port, proxy } = await proxyFor(t, plan);
  const channels = Array.from({ length: 20 }, (_, index) => `{tag}${index}`);
  const subscriber = clientOf(t, port);
  subscriber.socket.write(channels.map((channel) => `SSUBSCRIBE ${channel}\r\n`).join(''));
  await eventually('the confirmations', () => subscriber.got().split('*3').length === 21 || undefined);
  const of = ({ asked }: Server, from = 0): ReadonlySet<string> => {
    const subscribing = asked.slice(from).filter((words) => words.startsWith('ssubscribe'));
    return new Set(subscribing.flatMap((words) => words.split(' ').slice(1)));
  };
  assert.ok(of(one).size > 0 && of(other).size > 0);
  const reroute = async (hashTags: boolean): Promise<void> => {
    const listeners = plan.listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, hashTags },
    }));
    await proxy.update({ ...plan, listeners });
  };
  await reroute(true);
  const gathered = await eventually('all of them at one server', () =>
    [one, other].find((server) => of(server).size === channels.length),
  );
  const left = gathered === one ? other : one;
  const before = left.asked.length;
  await reroute(false);
  await eventually('some of them at the other again', () => of(left, before).size > 0 || undefined);
});

test('who leaves several shard channels while they are on their way is told a count for each', async (t) => {
  let whileRestoring: (() => void) | undefined;
  const answer = (words: string): string => {
    const [name = '', ...channels] = words.split(' ');
    if (!name.endsWith('subscribe')) return '+PONG\r\n';
    whileRestoring?.();
    return channels.map((channel) => array(name, channel, ':1')).join('');
  };
  const ports = await Promise.all([0, 1].map(async () => (await serverThat(t, answer)).port));
  const hashKeys = ['one', 'other'];
  const endpoints = ports.map((port, index) => ({ address: '127.0.0.1', port, hashKey: hashKeys[index]! }));
  const plan = planToServers({ kind: 'endpoints', endpoints });
  const rerouted = (hashTags: boolean): typeof plan => ({
    ...plan,
    listeners: plan.listeners.map(({ bind, listener }) => ({ bind, listener: { ...listener, hashTags } })),
  });
  const table = maglevTable(hashKeys.map((text) => ({ text, weight: 1 })));
  const channels = Array.from({ length: 20 }, (_, index) => `{tag}${index}`);
  const channelsOf = (server: number): readonly string[] =>
    channels.filter((channel) => maglevHost(table, Buffer.from(channel), false) === server);
  // Its server is asked first; there the others turn out to be elsewhere.
  const [stays = ''] = channelsOf(0);
  const [one = '', other = ''] = channelsOf(1);
  const { port, proxy } = await proxyFor(t, rerouted(true));
  const client = clientOf(t, port);
  client.socket.write(`SSUBSCRIBE ${[stays, one, other].join(' ')}\r\n`);
  await eventually('the confirmations', () => client.got().endsWith(':3\r\n') || undefined);
  whileRestoring = () => {
    whileRestoring = undefined;
    client.socket.write(`SUNSUBSCRIBE ${one} ${other}\r\n`);
  };
  await proxy.update(rerouted(false));
  const left = array('sunsubscribe', one, ':2') + array('sunsubscribe', other, ':1');
  await eventually('their counts', () => client.got().endsWith(left) || undefined, {
    seen: () => client.got(),
  });
});

test('shard channels that are asked for again as their servers change are counted once', async (t) => {
  let isSilent = false;
  const answer = (words: string): string | undefined => {
    const [name = '', ...channels] = words.split(' ');
    if (!name.endsWith('subscribe')) return '+PONG\r\n';
    return isSilent ? undefined : channels.map((channel) => array(name, channel, ':1')).join('');
  };
  const hashKeys = ['one', 'other'];
  const servers = await Promise.all(hashKeys.map(async () => await serverThat(t, answer)));
  const endpoints = servers.map(({ port }, index) => ({
    address: '127.0.0.1',
    port,
    hashKey: hashKeys[index]!,
  }));
  const table = maglevTable(hashKeys.map((text) => ({ text, weight: 1 })));
  const channelOf = (server: number): string =>
    Array.from({ length: 20 }, (_, index) => `channel${index}`).find(
      (channel) => maglevHost(table, Buffer.from(channel), false) === server,
    )!;
  const [stays, goes] = [channelOf(0), channelOf(1)];
  const { port, proxy } = await proxyFor(
    t,
    planToServers({ kind: 'endpoints', endpoints: endpoints.slice(0, 1) }),
  );
  const client = clientOf(t, port);
  const told = async (confirmations: string): Promise<void> => {
    await eventually('its being told', () => client.got().endsWith(confirmations) || undefined, {
      seen: () => client.got(),
    });
  };
  client.socket.write(`SSUBSCRIBE ${stays} ${goes}\r\n`);
  await told(array('ssubscribe', stays, ':1') + array('ssubscribe', goes, ':2'));
  isSilent = true;
  client.socket.write(`SSUBSCRIBE ${stays} ${goes}\r\n`);
  await eventually(
    'its server having it',
    () =>
      servers[0]!.asked.filter((words) => words === `ssubscribe ${stays} ${goes}`).length === 2 || undefined,
  );
  isSilent = false;
  await proxy.update(planToServers({ kind: 'endpoints', endpoints }));
  await told(array('ssubscribe', stays, ':2') + array('ssubscribe', goes, ':2'));
  client.socket.write(`SSUBSCRIBE ${stays}\r\n`);
  await told(array('ssubscribe', goes, ':2') + array('ssubscribe', stays, ':2'));
  await eventually(
    'each being where it belongs',
    () =>
      servers[1]!.asked.some((words) => words.startsWith('ssubscribe') && words.includes(goes)) || undefined,
  );
});
