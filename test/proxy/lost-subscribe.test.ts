import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import {
  array,
  clientOf,
  planTo,
  proxyFor,
  serverThat,
  type Client,
  type Server,
  withOpTimeout,
} from './servers.ts';

const BOTH = array('subscribe', 'news', ':1') + array('subscribe', 'sports', ':2');
const FAILURE = '-upstream failure\r\n';

interface Scene {
  readonly client: Client;
  readonly redis: Server;
  /** How often it was asked so. */
  readonly count: (words: string) => number;
  readonly reroute: () => Promise<void>;
  readonly goAway: () => void;
  /** It is there again. */
  readonly comeBack: () => void;
}

/** A Redis that confirms all, but not `lost` the first time: it cuts the connection, is silent, or cuts all until it is back. */
async function setUp(
  t: TestContext,
  options: { lost: string; how: 'cut' | 'silent' | 'gone'; failoverWaitMs?: number; opTimeoutMs?: number },
): Promise<Scene> {
  let isLost = false;
  let isBack = false;
  const redis = await serverThat(t, (words, socket) => {
    if (options.how === 'gone' && isLost && !isBack) socket.destroy();
    const [kind = '', ...channels] = words.split(' ');
    if (!kind.endsWith('subscribe')) return '+OK\r\n';
    if (words === options.lost && !isLost) {
      isLost = true;
      if (options.how !== 'silent') socket.destroy();
      return undefined;
    }
    return channels.map((channel) => array(kind, channel, ':1')).join('');
  });
  const { failoverWaitMs = 20_000, opTimeoutMs } = options;
  const plan = (): RoutingPlan =>
    opTimeoutMs === undefined ? planTo(redis.port) : withOpTimeout(planTo(redis.port), opTimeoutMs);
  const { port, proxy } = await proxyFor(t, plan(), { failoverWaitMs });
  return {
    client: clientOf(t, port),
    redis,
    count: (words) => redis.asked.filter((each) => each === words).length,
    goAway: () => void (isLost = true),
    comeBack: () => void (isBack = true),
    reroute: () => proxy.update(plan()),
  };
}

async function replies(client: Client, wanted: string): Promise<void> {
  await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), wanted);
}

for (const kind of ['subscribe', 'psubscribe', 'ssubscribe']) {
  test(`${kind} whose connection is lost before its confirmation is asked again, once, and answered`, async (t) => {
    const { client, count } = await setUp(t, { lost: `${kind} news`, how: 'cut' });
    client.socket.write(`${kind} news\r\n`);
    await replies(client, array(kind, 'news', ':1'));
    assert.equal(count(`${kind} news`), 2);
  });
}

test('what was subscribed before is subscribed apart from what is still waited for', async (t) => {
  const { client, count } = await setUp(t, { lost: 'subscribe sports', how: 'cut' });
  client.socket.write('SUBSCRIBE news\r\nSUBSCRIBE sports\r\n');
  await replies(client, array('subscribe', 'news', ':1') + array('subscribe', 'sports', ':2'));
  assert.equal(count('subscribe news'), 2);
});

test('UNSUBSCRIBE from all whose connection is lost is confirmed for each', async (t) => {
  const { client } = await setUp(t, { lost: 'unsubscribe news sports', how: 'cut' });
  client.socket.write('SUBSCRIBE news sports\r\nUNSUBSCRIBE\r\n');
  await replies(client, BOTH + array('unsubscribe', 'news', ':1') + array('unsubscribe', 'sports', ':0'));
});

for (const [words, confirmations] of [
  ['UNSUBSCRIBE news', array('unsubscribe', 'news', ':1')],
  ['UNSUBSCRIBE', array('unsubscribe', 'news', ':1') + array('unsubscribe', 'sports', ':0')],
  ['PUNSUBSCRIBE', '*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:2\r\n'],
  ['SUNSUBSCRIBE shard', array('sunsubscribe', 'shard', ':0')],
] as const) {
  test(`${words} that nobody can be asked is confirmed`, async (t) => {
    const { client, redis, goAway } = await setUp(t, { lost: '', how: 'gone' });
    client.socket.write('SUBSCRIBE news sports\r\nSSUBSCRIBE shard\r\n');
    const subscribed = BOTH + array('ssubscribe', 'shard', ':1');
    await replies(client, subscribed);
    goAway();
    for (const socket of redis.sockets) socket.destroy();
    client.socket.write(`${words}\r\n`);
    await replies(client, subscribed + confirmations);
  });
}

test('SUBSCRIBE that can not be asked again in time is refused, and its client no subscriber', async (t) => {
  const { client } = await setUp(t, { lost: 'subscribe news', how: 'gone', failoverWaitMs: 500 });
  client.socket.write('SUBSCRIBE news\r\nCLIENT GETNAME\r\n');
  await replies(client, `${FAILURE}$-1\r\n`);
});

test('SUBSCRIBE that is not answered in the time of any command is asked again on another connection', async (t) => {
  const { client, count } = await setUp(t, { lost: 'subscribe news', how: 'silent', opTimeoutMs: 300 });
  client.socket.write('SUBSCRIBE news\r\n');
  await replies(client, array('subscribe', 'news', ':1'));
  assert.equal(count('subscribe news'), 2);
});

test('a channel stays subscribed when a later SUBSCRIBE to it is refused', async (t) => {
  const lost = 'subscribe news sports';
  const { client, count, comeBack } = await setUp(t, { lost, how: 'gone', failoverWaitMs: 500 });
  client.socket.write('SUBSCRIBE news\r\nSUBSCRIBE news sports\r\n');
  await replies(client, array('subscribe', 'news', ':1') + FAILURE);
  const [before, tries] = [count('subscribe news'), count(lost)];
  comeBack();
  await eventually('the first again', () => count('subscribe news') > before || undefined);
  client.socket.write('PING\r\n');
  await eventually('a pong', () => client.got().includes('pong') || undefined);
  assert.equal(count(lost), tries);
});

test('SSUBSCRIBE during a reroute is asked where the plan has it then', async (t) => {
  const { client, count, reroute } = await setUp(t, { lost: 'ssubscribe news', how: 'silent' });
  client.socket.write('SSUBSCRIBE sports\r\nSSUBSCRIBE news\r\n');
  await eventually('the command', () => count('ssubscribe news') === 1 || undefined);
  await reroute();
  await replies(client, array('ssubscribe', 'sports', ':1') + array('ssubscribe', 'news', ':2'));
  assert.equal(count('ssubscribe news'), 2);
});
