import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Registry } from 'prom-client';

import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import type { ProxyOptions } from '../../src/proxy/proxy.ts';
import { outcomes } from '../../src/proxy/wire/outcomes.ts';
import { parseMetrics } from '../prometheus-text.ts';
import { HALVES, clusterThat } from './scripted-cluster.ts';
import { planToServers } from './several-servers.ts';
import { clientOf, planTo, proxyFor, serverThat, withFault, type Client, type Server } from './servers.ts';

const WRONG = "-WRONGTYPE it's a list\r\n";

function counts(): Map<string, number> {
  return new Map(outcomes().map(({ kind, outcome, count }) => [`${kind} ${outcome}`, count]));
}

interface Counted {
  readonly client: Client;
  readonly proxy: Awaited<ReturnType<typeof proxyFor>>['proxy'];
  /** What has been counted since it began; what is 0 is left out. */
  readonly since: () => Readonly<Record<string, number>>;
  /** Sends, and waits until so many bytes have come. */
  readonly ask: (text: string, reply: string) => Promise<void>;
}

async function countedBy(
  t: TestContext,
  plan: RoutingPlan,
  options: Partial<ProxyOptions> = {},
): Promise<Counted> {
  const { port, proxy } = await proxyFor(t, plan, options);
  const client = clientOf(t, port);
  const before = counts();
  return {
    client,
    proxy,
    since: () => {
      const changes = [...counts()].map(([what, count]) => [what, count - before.get(what)!] as const);
      return Object.fromEntries(changes.filter(([, count]) => count !== 0));
    },
    ask: async (text, reply) => {
      const from = client.got().length;
      client.socket.write(text);
      await eventually(`the reply to ${text}`, () => client.got().length >= from + reply.length || undefined);
      assert.equal(client.got().slice(from), reply);
    },
  };
}

/** A plain server that takes everything for of the wrong type whose key is `list`. */
async function plainFor(t: TestContext, options: Partial<ProxyOptions> = {}): Promise<Counted> {
  const redis = await serverThat(t, (words) => {
    if (words.startsWith('COMMAND')) return '*1\r\n$-1\r\n';
    if (words === 'GET silent' || words.startsWith('BLPOP silent')) return undefined;
    if (words.includes('list')) return WRONG;
    return '+OK\r\n';
  });
  return countedBy(t, planTo(redis.port), options);
}

test('what went well and what Redis refused are told apart', async (t) => {
  const { ask, since } = await plainFor(t);
  await ask('SET a 1\r\nGET list\r\nSET b 1\r\n', `+OK\r\n${WRONG}+OK\r\n`);
  assert.deepEqual(since(), { 'keyed ok': 2, 'keyed error': 1 });
});

test('a reply that comes before its turn counts, too', async (t) => {
  const { proxy, client, since } = await plainFor(t);
  client.socket.write('GET silent\r\n');
  await eventually('it is asked', () => proxy.status()[0]?.nodes[0]?.reads === 1 || undefined);
  client.socket.write('MSET a\r\n');
  await eventually('its outcome', () => since()['split error'] === 1 || undefined);
  assert.deepEqual(since(), { 'split error': 1 });
});

test('mistakes that are answered here count as errors, each of its own kind', async (t) => {
  const { ask, since } = await plainFor(t);
  await ask('GET\r\n', "-ERR wrong number of arguments for 'get' command\r\n");
  await ask('MSET a\r\n', "-ERR wrong number of arguments for 'mset' command\r\n");
  await ask(
    'SHUTDOWN\r\n',
    "-ERR 'shutdown' is not carried out by this proxy: it is for administrators, who ask a node itself\r\n",
  );
  await ask('SELECT x\r\n', '-ERR value is not an integer or out of range\r\n');
  await ask('SUBSCRIBE\r\n', "-ERR wrong number of arguments for 'subscribe' command\r\n");
  await ask('NOSUCH\r\n', "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
  const errors = ['keyed', 'split', 'refused', 'local', 'pubsub', 'foreign'].map((kind) => [
    `${kind} error`,
    1,
  ]);
  assert.deepEqual(since(), Object.fromEntries(errors));
});

test('who has given no password has made a mistake, whatever was asked', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const { ask, since } = await countedBy(t, planTo(redis.port, { clientPassword: new SecretText('secret') }));
  const refusal = '-NOAUTH Authentication required.\r\n';
  await ask('GET a\r\nNOSUCH\r\nPING\r\n', refusal.repeat(3));
  assert.deepEqual(since(), { 'keyed error': 1, 'foreign error': 1, 'local error': 1 });
});

test('a command that was split is one, however many of its parts go wrong', async (t) => {
  const cluster = await clusterThat(t, 2, (words) => (words.startsWith('mget') ? WRONG : undefined));
  cluster.slots = HALVES;
  const { ask, since } = await countedBy(t, cluster.plan());
  await ask('MGET a b c\r\n', WRONG);
  assert.deepEqual(since(), { 'split error': 1 });
});

test('an error of our own is a failure', async (t) => {
  const redis = await serverThat(t, (words, socket) => {
    if (words.startsWith('SET')) socket.destroy();
    return words.startsWith('SET') ? undefined : '+OK\r\n';
  });
  const { ask, since } = await countedBy(t, planTo(redis.port));
  await ask('SET a 1\r\n', '-upstream failure\r\n');
  assert.deepEqual(since(), { 'keyed failed': 1 });
});

test('so is one that was made on purpose, at once or later', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const plan = planTo(redis.port);
  for (const delayMs of [undefined, 5]) {
    const fault = { type: 'ERROR', percentage: 100, commands: ['get'], delayMs } as const;
    const { ask, since } = await countedBy(t, withFault(plan, fault));
    await ask('GET a\r\n', '-Fault Injected: Error\r\n');
    assert.deepEqual(since(), { 'keyed failed': 1 });
  }
});

test('what is under way is not counted, and then once', async (t) => {
  let answer: (() => void) | undefined;
  const redis = await serverThat(t, (words, socket) => {
    if (words !== 'GET late') return '+OK\r\n';
    answer = () => void socket.write(WRONG);
    return undefined;
  });
  const { client, since } = await countedBy(t, planTo(redis.port));
  client.socket.write('GET late\r\n');
  await eventually('it is asked', () => answer);
  assert.deepEqual(since(), {});
  // It waits for what was asked before.
  client.socket.write('MULTI\r\n');
  client.socket.write('PING\r\n');
  answer?.();
  await eventually('the replies', () => client.got().endsWith('+QUEUED\r\n') || undefined);
  assert.deepEqual(since(), { 'keyed error': 1, 'transaction ok': 1, 'local ok': 1 });
});

test('whose client goes before the reply is abandoned, also where the reply is an error', async (t) => {
  let answer: (() => void) | undefined;
  const redis = await serverThat(t, (words, socket) => {
    if (words !== 'GET late') return '+OK\r\n';
    answer = () => void socket.write(WRONG);
    return undefined;
  });
  const { client, proxy, since } = await countedBy(t, planTo(redis.port));
  client.socket.write('GET late\r\n');
  await eventually('it is asked', () => answer);
  client.socket.resetAndDestroy();
  await eventually('it is gone', () => proxy.clients === 0 || undefined);
  assert.deepEqual(since(), { 'keyed abandoned': 1 });
  answer?.();
  await eventually('the error', () => proxy.status()[0]?.nodes[0]?.errors.read === 1 || undefined);
  assert.deepEqual(since(), { 'keyed abandoned': 1 });
});

test('a command that waits is over when its client has had enough', async (t) => {
  const { client, proxy, since } = await plainFor(t);
  client.socket.write('BLPOP silent 0\r\n');
  await eventually('it waits', () => proxy.clients === 1 || undefined);
  client.socket.end();
  await eventually('it is gone', () => since()['blocking abandoned'] === 1 || undefined);
  assert.deepEqual(since(), { 'blocking abandoned': 1 });
});

test('of what is given up at the end it is told', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'GET late' ? undefined : '+OK\r\n'));
  const { client, proxy, since } = await countedBy(t, planTo(redis.port), { drainMs: 50 });
  client.socket.write('GET late\r\n');
  await eventually('it is asked', () => proxy.status()[0]?.nodes[0]?.reads === 1 || undefined);
  await proxy.close();
  assert.deepEqual(since(), { 'keyed failed': 1 });
});

test('a transaction that is refused is an error, and so is what was not queued', async (t) => {
  const redis = await serverThat(t, (words) => {
    if (words === 'EXEC') return '-EXECABORT Transaction discarded because of previous errors.\r\n';
    if (words.startsWith('SET list')) return '-ERR syntax error\r\n';
    return words.startsWith('SET') ? '+QUEUED\r\n' : '+OK\r\n';
  });
  const { ask, since } = await countedBy(t, planTo(redis.port));
  await ask('MULTI\r\n', '+OK\r\n');
  await ask('SET a 1\r\n', '+QUEUED\r\n');
  await ask('SET list 1\r\n', '-ERR syntax error\r\n');
  await ask('EXEC\r\n', '-EXECABORT Transaction discarded because of previous errors.\r\n');
  assert.deepEqual(since(), { 'transaction ok': 1, 'keyed ok': 1, 'keyed error': 1, 'transaction error': 1 });
});

test('what is asked of all primaries is one command', async (t) => {
  const cluster = await clusterThat(t, 2, (words) => (words === 'DBSIZE' ? '-ERR no\r\n' : undefined));
  cluster.slots = HALVES;
  const { ask, since } = await countedBy(t, cluster.plan());
  await ask('DBSIZE\r\n', '-ERR no\r\n');
  assert.deepEqual(since(), { 'everywhere error': 1 });
});

test('what is told of kinds and outcomes adds up to the commands', async (t) => {
  const { ask, proxy } = await plainFor(t);
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const sum = async (): Promise<number> => {
    const { samples = [] } =
      parseMetrics(await registry.metrics()).get('redpilot_proxy_commands_total') ?? {};
    const keyed = samples.filter(({ labels }) => labels['kind'] === 'keyed');
    return keyed.reduce((total, { value }) => total + value, 0);
  };
  const before = await sum();
  await ask(
    'SET a 1\r\nGET list\r\nGET\r\n',
    `+OK\r\n${WRONG}-ERR wrong number of arguments for 'get' command\r\n`,
  );
  assert.equal((await sum()) - before, 3);
});

test('a subscription that several servers refuse is one command', async (t) => {
  const refusing = (): Promise<Server> =>
    serverThat(t, (words) => (words.startsWith('ssubscribe') ? '-NOPERM no\r\n' : '+PONG\r\n'));
  const servers = await Promise.all([refusing(), refusing()]);
  const endpoints = servers.map(({ port }) => ({ address: '127.0.0.1', port, hashKey: String(port) }));
  const { ask, since } = await countedBy(t, planToServers({ kind: 'endpoints', endpoints }));
  const channels = Array.from({ length: 20 }, (_, index) => `channel${index}`);
  await ask(`SSUBSCRIBE ${channels.join(' ')}\r\n`, '-NOPERM no\r\n');
  assert.deepEqual(since(), { 'pubsub error': 1 });
});

test('what waits for a server is under way, and a failure once that has taken too long', async (t) => {
  const [port = 0] = await freePorts(1);
  const { client, proxy, since } = await countedBy(t, planTo(port), { failoverWaitMs: 600 });
  await eventually('it is down', () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined);
  client.socket.write('WATCH a\r\nGET a\r\n');
  await eventually('the replies', () => {
    // Neither well nor badly.
    if (client.got() === '') assert.deepEqual(since(), {});
    return client.got() === '-no upstream host\r\n'.repeat(2) || undefined;
  });
  assert.deepEqual(since(), { 'transaction failed': 1, 'keyed failed': 1 });
});

for (const how of ['is ended', 'goes'] as const) {
  test(`a command that no server has told of yet is not lost count of where its client ${how}`, async (t) => {
    const server = await serverThat(t, (words) => (words.startsWith('COMMAND') ? undefined : '+PONG\r\n'));
    const { client, proxy, since } = await countedBy(t, planTo(server.port));
    client.socket.write('FOO a\r\n');
    const isAsked = (): boolean => server.asked.some((words) => words.startsWith('COMMAND INFO'));
    await eventually('its being asked about', () => isAsked() || undefined);
    if (how === 'goes') client.socket.resetAndDestroy();
    else void proxy.drain();
    await eventually('its outcome', () => Object.keys(since()).length > 0 || undefined);
    assert.deepEqual(since(), { [how === 'goes' ? 'foreign abandoned' : 'foreign failed']: 1 });
    assert.equal(client.got(), how === 'goes' ? '' : '-no upstream host\r\n');
  });
}

test('a subscription that a fault makes late is a failure where its client is ended before', async (t) => {
  const server = await serverThat(t, () => '+PONG\r\n');
  const fault = { type: 'DELAY', delayMs: 60_000, percentage: 100, commands: [] } as const;
  const { client, proxy, since } = await countedBy(t, withFault(planTo(server.port), fault));
  client.socket.write('PING\r\nSUBSCRIBE a\r\n');
  await eventually('its being late', () => client.got() === '+PONG\r\n' || undefined);
  void proxy.drain();
  await eventually('the reply', () => client.got().includes('-upstream failure') || undefined);
  await eventually('its outcome', () => 'pubsub failed' in since() || undefined, {
    seen: () => JSON.stringify(since()),
  });
  assert.deepEqual(since(), { 'local ok': 1, 'pubsub failed': 1 });
});
