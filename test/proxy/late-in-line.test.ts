import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { runningTime } from './running-time.ts';
import { clusterThat, type Range } from './scripted-cluster.ts';
import { array, clientOf, proxyFor } from './servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const WAIT_MS = 1_000;
const NOBODY = '-no upstream host\r\n';
const TORN = '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';
const POP = 'BLPOP k 0\r\n';
const NOTHING = '*-1\r\n';

for (const [what, asked, times, refusal] of [
  ['commands that wait', POP, 5, NOBODY],
  ['watches', 'WATCH k\r\n', 5, NOBODY],
  [
    'transactions',
    'MULTI\r\nSET k 1\r\nEXEC\r\n',
    5,
    `+OK\r\n${NOBODY}-EXECABORT Transaction discarded because of previous errors.\r\n`,
  ],
  ['subscriptions', 'SSUBSCRIBE k\r\n', 5, '-upstream failure\r\n'],
  ['many writes', 'SET k 1\r\n', 1_000, NOBODY],
  ['a write and what must come behind it', `SET k 1\r\n${POP}`, 1, NOBODY.repeat(2)],
] as const) {
  test(`${what}, sent together, wait together where nobody has their slot`, async (t) => {
    const cluster = await clusterThat(t, 1, () => undefined);
    cluster.slots = [[0, SLOT - 1, 0]];
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: WAIT_MS });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    const askedAt = performance.now();
    const running = runningTime(t);
    client.socket.write(`${asked.repeat(times)}PING\r\n`);
    await eventually('the last reply', () => client.got().endsWith('+PONG\r\n') || undefined);
    const [tookMs, ranMs] = [performance.now() - askedAt, running()].map(Math.round);
    assert.equal(client.got(), `${refusal.repeat(times)}+PONG\r\n`);
    assert.ok(tookMs! >= WAIT_MS && ranMs! < 1.8 * WAIT_MS, `${tookMs} ms, of these running ${ranMs}`);
  });
}

/** Many times what a busy machine takes for four tries. */
const LONG_WAIT_MS = 3_000;

/** Its keys are half moved at the first three tries. */
function tornThrice(): { readonly answer: (words: string) => string | undefined; readonly tries: number } {
  const write = {
    tries: 0,
    answer: (words: string): string | undefined => {
      if (words !== 'SET k 1') return undefined;
      write.tries += 1;
      return write.tries < 4 ? TORN : '+OK\r\n';
    },
  };
  return write;
}

test('what is behind a command that waits by its nature has its whole time', async (t) => {
  let isAsked = false;
  const write = tornThrice();
  const cluster = await clusterThat(t, 1, (words, _, socket) => {
    if (words === 'BLPOP k 0') {
      isAsked = true;
      void sleep(1.2 * LONG_WAIT_MS).then(() => socket.write(NOTHING));
    }
    return write.answer(words);
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: LONG_WAIT_MS });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(`${POP}SET k 1\r\n`);
  await eventually('both replies', () => client.got().length > NOTHING.length || undefined);
  assert.ok(isAsked);
  assert.equal(client.got(), `${NOTHING}+OK\r\n`);
});

test('what is behind replies that its client does not take has its whole time, too', async (t) => {
  const long = `$4194304\r\n${'x'.repeat(4_194_304)}\r\n`;
  const write = tornThrice();
  const cluster = await clusterThat(t, 1, (words) => (words === 'GET long' ? long : write.answer(words)));
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: LONG_WAIT_MS });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.pause();
  // As many as are asked for at first.
  client.socket.write(`${'GET long\r\n'.repeat(4)}SET k 1\r\n`);
  await sleep(1.2 * LONG_WAIT_MS);
  assert.equal(write.tries, 0);
  client.socket.resume();
  await eventually('the last reply', () => client.got().length > 4 * long.length || undefined);
  assert.equal(client.got().slice(4 * long.length), '+OK\r\n');
});

/** All but that of x, which nobody has. */
const slotsAt = (node: number): readonly Range[] => {
  const free = slotOf(Buffer.from('x'), 0, 1);
  return [
    [0, free - 1, node],
    [free + 1, 16_383, node],
  ];
};

for (const [what, asked, answer, wanted] of [
  ['command that waits', 'BLPOP k 0', NOTHING, NOTHING],
  ['watch', 'WATCH k', '+OK\r\n', '+OK\r\n'],
  ['subscription', 'SSUBSCRIBE k', array('ssubscribe', 'k', ':1'), array('ssubscribe', 'k', ':1')],
] as const) {
  test(`a ${what} whose turn comes late is redirected all the same`, async (t) => {
    const cluster = await clusterThat(t, 2, (words, node) => {
      if (words.toLowerCase() !== asked.toLowerCase()) return undefined;
      if (node === 1) return answer;
      cluster.slots = slotsAt(1);
      return `-MOVED ${SLOT} ${cluster.addressOf(1)}\r\n`;
    });
    cluster.slots = slotsAt(0);
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 300 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write(`SET x 1\r\n${asked}\r\n`);
    await eventually('both replies', () => client.got().length > NOBODY.length || undefined);
    assert.equal(client.got(), `${NOBODY}${wanted}`);
  });
}

test('a subscription to keyspace notifications whose turn comes late is confirmed all the same', async (t) => {
  const channel = '__keyspace@0__:k';
  const confirmation = array('subscribe', channel, ':1');
  const cluster = await clusterThat(t, 1, (words, _, socket) => {
    if (words === `subscribe ${channel}`) void sleep(200).then(() => socket.write(confirmation));
    return undefined;
  });
  cluster.slots = [[0, SLOT - 1, 0]];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 300 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(`SET k 1\r\nSUBSCRIBE ${channel}\r\n`);
  await eventually('both replies', () => client.got().length > NOBODY.length || undefined, {
    seen: () => JSON.stringify([client.got(), cluster.nodes[0]?.asked.slice(-5)]),
  });
  assert.equal(client.got(), `${NOBODY}${confirmation}`);
});
