/**
 * Order, as a client of the whole proxy sees it.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Fault, ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat, withFault, type Server } from './servers.ts';

for (const what of ['', ' where replies are late']) {
  test(`what comes behind a write that a server did not take yet waits for it${what}`, async (t) => {
    let isRefused = false;
    const redis = await serverThat(t, (words) => {
      if (words !== 'SET k 1' || isRefused) return '+OK\r\n';
      isRefused = true;
      return "-READONLY You can't write against a read only replica.\r\n";
    });
    const delay: Fault = { type: 'DELAY', percentage: 100, delayMs: 1, commands: [] };
    const plan = what === '' ? planTo(redis.port) : withFault(planTo(redis.port), delay);
    const { port, proxy } = await proxyFor(t, plan);
    const client = clientOf(t, port);
    client.socket.write('SET k 1\r\n');
    await eventually('it waiting', () => proxy.status()[0]?.events['held'] === 1 || undefined, {
      everyMs: 1,
    });
    client.socket.write('SET k 2\r\n');
    await eventually('both', () => client.got() === '+OK\r\n+OK\r\n' || undefined);
    const sets = redis.asked.filter((words) => words.startsWith('SET'));
    assert.deepEqual(sets, ['SET k 1', 'SET k 1', 'SET k 2']);
  });
}

test('a write whose time is up before it is known what became of those behind it is not sent again', async (t) => {
  const waiting: Socket[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'SET k 1') return "-READONLY You can't write against a read only replica.\r\n";
    if (words !== 'SET k 2') return '+OK\r\n';
    waiting.push(socket);
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 200 });
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\nSET k 2\r\n');
  await eventually('the first reply', () => client.got().startsWith('-READONLY') || undefined, {
    seen: () => `${client.got()} ${redis.asked.join(', ')}`,
  });
  for (const socket of waiting) socket.write('+OK\r\n');
  await eventually('the second reply', () => client.got().endsWith('\r\n+OK\r\n') || undefined);
  assert.deepEqual(
    redis.asked.filter((words) => words.startsWith('SET')),
    ['SET k 1', 'SET k 2'],
  );
});

/** SETs are answered when the test says; HELLO and all else at once. */
async function throughProxy(t: TestContext): Promise<{
  readonly redis: Server;
  readonly port: number;
  readonly answer: () => void;
  readonly change: (readPolicy: ReadPolicy) => Promise<void>;
  readonly plan: RoutingPlan;
  readonly proxy: Proxy;
}> {
  const waiting: Socket[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (!words.startsWith('SET k')) return '+OK\r\n';
    waiting.push(socket);
    return undefined;
  });
  const plan = planTo(redis.port);
  const { proxy, port } = await proxyFor(t, plan, { drainMs: 100 });
  return {
    redis,
    port,
    plan,
    proxy,
    answer: () => void waiting.shift()?.write('+OK\r\n'),
    change: async (readPolicy) => {
      const listeners = plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, readPolicy },
      }));
      await proxy.update({ ...plan, listeners });
    },
  };
}

test('what follows another HELLO waits for what went over another connection', async (t) => {
  const { redis, port, answer } = await throughProxy(t);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\nHELLO 3\r\nSET k 2\r\n');
  await eventually('the first write', () => redis.asked.includes('SET k 1') || undefined);
  // Over the same connection as the second one.
  const other = clientOf(t, port);
  other.socket.write('HELLO 3\r\nSET other 1\r\n');
  await eventually('another client', () => other.got().endsWith('+OK\r\n') || undefined);
  assert.ok(!redis.asked.includes('SET k 2'));
  answer();
  await eventually('the second write', () => redis.asked.includes('SET k 2') || undefined);
});

test('what follows a change of the read policy waits for what went over another connection', async (t) => {
  const { redis, port, answer, change } = await throughProxy(t);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the first write', () => redis.asked.includes('SET k 1') || undefined);
  await change('PREFER_MASTER');
  client.socket.write('SET k 2\r\n');
  const other = clientOf(t, port);
  other.socket.write('SET other 1\r\n');
  await eventually('another client', () => other.got().endsWith('+OK\r\n') || undefined);
  assert.ok(!redis.asked.includes('SET k 2'));
  answer();
  await eventually('the second write', () => redis.asked.includes('SET k 2') || undefined);
});

test('a plan that changes nothing for a client holds up none of its commands', async (t) => {
  const { redis, port, plan, proxy } = await throughProxy(t);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the first write', () => redis.asked.includes('SET k 1') || undefined);
  await proxy.update({ ...plan });
  client.socket.write('SET k 2\r\n');
  await eventually('the second write', () => redis.asked.includes('SET k 2') || undefined);
  assert.equal(client.got(), '');
});

/** JSON.SET, as COMMAND INFO has it. */
const DESCRIBED = '*1\r\n*7\r\n$8\r\njson.set\r\n:-3\r\n*1\r\n+write\r\n:1\r\n:1\r\n:1\r\n*0\r\n';

for (const command of ['COMMAND COUNT', 'JSON.SET k 3']) {
  test(`${command} and what follows it wait for what went before it to servers of another plan`, async (t) => {
    let answerSet: (() => void) | undefined;
    let answerCommand: (() => void) | undefined;
    let changed: Promise<void> | undefined;
    const former = await serverThat(t, (words, socket) => {
      if (words === 'SET k 1') answerSet = () => socket.write('+OK\r\n');
      if (words.startsWith('COMMAND')) {
        answerCommand = () => socket.write(DESCRIBED);
        // At once: for half a second it is waited for.
        changed ??= change();
      }
      return words === 'PING' ? '+PONG\r\n' : undefined;
    });
    const later = await serverThat(t, (words) => (words.startsWith('COMMAND') ? DESCRIBED : '+OK\r\n'));
    const { port, proxy } = await proxyFor(t, planTo(former.port));
    const [{ bind } = { bind: undefined }] = planTo(former.port).listeners;
    assert.ok(bind);
    const change = async (): Promise<void> => await proxy.update(planTo(later.port, { listen: bind }));
    const client = clientOf(t, port);
    client.socket.write(`SET k 1\r\n${command}\r\nSET k 2\r\n`);
    await eventually('both', () => (answerSet !== undefined && answerCommand !== undefined) || undefined);
    await changed;
    answerCommand?.();
    const other = clientOf(t, port);
    for (let round = 1; round <= 3; round++) {
      other.socket.write('SET other 1\r\n');
      await eventually('another client', () => other.got() === '+OK\r\n'.repeat(round) || undefined);
    }
    assert.ok(!later.asked.some((words) => words.includes('SET k')));
    answerSet?.();
    await eventually('the second write', () => later.asked.includes('SET k 2') || undefined);
  });
}

for (const [how, later] of [
  ['has moved to another primary', [[0, 16_383, 1, 2]]],
  ['is of a replica that was promoted', [[0, 16_383, 2, 0]]],
] as const) {
  test(`what follows to a slot that ${how} waits for what the former primary has not answered`, async (t) => {
    const answers: (() => void)[] = [];
    const cluster = await clusterThat(t, 3, (words, node, socket) => {
      if (words === 'SET k 1' && node === 0) answers.push(() => socket.write('+OK\r\n'));
      else if (/^[SG]ET/.test(words)) return '+OK\r\n';
      return undefined;
    });
    cluster.slots = [[0, 16_383, 0, 2]];
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const [client, other] = [clientOf(t, port), clientOf(t, port)];
    client.socket.write('SET k 1\r\n');
    await eventually('the first', () => answers.length === 1 || undefined);
    cluster.slots = later;
    const primary = cluster.addressOf(later[0][2]);
    await eventually('the map', () => proxy.status()[0]?.shards?.[0]?.primary === primary || undefined);
    client.socket.write('SET k 2\r\n');
    await eventually('its being held', () => proxy.status()[0]?.events['held'] === 1 || undefined);
    other.socket.write('GET k\r\n');
    await eventually('the reply of another', () => other.got() === '+OK\r\n' || undefined);
    const asked = (): readonly string[] => cluster.askedOf(later[0][2]);
    assert.deepEqual(asked(), ['GET k']);
    answers[0]?.();
    await eventually('both replies', () => client.got() === '+OK\r\n+OK\r\n' || undefined);
    assert.deepEqual(asked(), ['GET k', 'SET k 2']);
  });
}

test('a slot that moves holds up nothing that is asked of the other slots of its node', async (t) => {
  const cluster = await clusterThat(t, 2, () => undefined);
  cluster.slots = [[0, 16_383, 0]];
  // It is slow, not silent.
  const { port, proxy } = await proxyFor(t, cluster.plan(), { hedgeAfterMs: 60_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\nSET a 1\r\n');
  await eventually('both', () => cluster.askedOf(0).length === 2 || undefined);
  const slot = slotOf(Buffer.from('k'), 0, 1);
  cluster.slots = [
    [0, slot - 1, 0],
    [slot, slot, 1],
    [slot + 1, 16_383, 0],
  ];
  await eventually('the map', () => proxy.status()[0]?.shards?.length === 2 || undefined);
  client.socket.write('SET k 2\r\nSET a 2\r\n');
  await eventually('the last', () => cluster.askedOf(0).at(-1) === 'SET a 2' || undefined);
  assert.deepEqual(cluster.askedOf(1), []);
});
