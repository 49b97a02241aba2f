import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { slotOf } from '../../../src/redis/slots.ts';
import { clusterThat, proxyForHalves } from '../scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

const SLOT = slotOf(Buffer.from('q'), 0, 1);
const POPPED = '*2\r\n$1\r\nq\r\n$1\r\nx\r\n';
const READONLY = "-READONLY You can't write against a read only replica.\r\n";

async function knows(proxy: Proxy): Promise<void> {
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
}

for (const [how, refusal, asked] of [
  ['MOVED', (address: string) => `-MOVED ${SLOT} ${address}\r\n`, ['BLPOP q 0']],
  ['ASK', (address: string) => `-ASK ${SLOT} ${address}\r\n`, ['ASKING', 'BLPOP q 0']],
] as const) {
  test(`a blocking command is carried out where ${how} says`, async (t) => {
    const cluster = await clusterThat(t, 2, (words, node) => {
      if (words === 'ASKING') return '+OK\r\n';
      if (!words.startsWith('BLPOP')) return undefined;
      return node === 0 ? refusal(cluster.addressOf(1)) : POPPED;
    });
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await knows(proxy);
    const client = clientOf(t, port);
    client.socket.write('BLPOP q 0\r\nPING\r\n');
    const wanted = `${POPPED}+PONG\r\n`;
    await eventually('the reply', () => client.got().length >= wanted.length || undefined);
    assert.equal(client.got(), wanted);
    assert.deepEqual(cluster.askedOf(1), asked);
    assert.equal(proxy.status()[0]?.events['failed'], 0);
  });
}

test('who waits at a primary that is one no longer goes on waiting at the next', async (t) => {
  let isDemoted = false;
  const waiting: (() => void)[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (!words.startsWith('BLPOP')) return '+OK\r\n';
    if (isDemoted) return POPPED;
    waiting.push(() => socket.write('-UNBLOCKED force unblock from blocking operation\r\n'));
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('BLPOP q 0\r\n');
  await eventually('the command', () => waiting.length === 1 || undefined);
  isDemoted = true;
  waiting[0]?.();
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), POPPED);
});

test('a blocking command that is refused for longer than any command waits has its refusal', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('BLPOP') ? READONLY : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  const client = clientOf(t, port);
  client.socket.write('BLPOP q 0\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), READONLY);
  assert.ok(redis.asked.filter((words) => words === 'BLPOP q 0').length > 1);
});

for (const [command, replies, wanted] of [
  ['WAIT 1 100', [':2\r\n', ':1\r\n'], ':1\r\n'],
  ['WAITAOF 1 1 100', ['*2\r\n:0\r\n:2\r\n', '*2\r\n:1\r\n:1\r\n'], '*2\r\n:0\r\n:1\r\n'],
] as const) {
  test(`${command} asks every primary for what was written before, and the least counts`, async (t) => {
    const { cluster, port } = await proxyForHalves(t, (words, node) =>
      words.startsWith('WAIT') ? replies[node] : words.startsWith('SET') ? '+OK\r\n' : undefined,
    );
    const client = clientOf(t, port);
    client.socket.write(`SET a 1\r\n${command}\r\n`);
    await eventually('the reply', () => client.got().length >= wanted.length + 5 || undefined);
    assert.equal(client.got(), `+OK\r\n${wanted}`);
    for (const { asked } of cluster.nodes) assert.equal(asked[asked.indexOf(command) - 1], 'PING');
  });
}

test('what a script says in the words of Redis is its own', async (t) => {
  const said = '-TRYAGAIN later\r\n';
  const redis = await serverThat(t, (words) => (words.startsWith('EVAL') ? said : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  const client = clientOf(t, port);
  client.socket.write('EVAL script 1 k\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), said);
  assert.deepEqual(
    redis.asked.filter((words) => words.startsWith('EVAL')),
    ['EVAL script 1 k'],
  );
});

test('what could wait and does not goes like any command, several at a time', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('XREAD') ? undefined : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('XREAD STREAMS s 0\r\nXREAD COUNT 1 STREAMS block 0\r\n');
  const asked = (): readonly string[] => redis.asked.filter((words) => words.startsWith('XREAD'));
  await eventually('both', () => asked().length === 2 || undefined);
});
