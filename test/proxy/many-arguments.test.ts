/**
 * Commands of very many arguments cost the time that their bytes take: with a loop within a loop each of these would hold
 * everybody up for a minute and more.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { array, clientOf, planTo, proxyFor, serverThat, withPrefixRemoved } from './servers.ts';

const COUNT = 200_000;
/** Of the processor's time: a busy machine is no failure. */
const CPU_SECONDS = 20;
/** What is put together here may hold up its own process for longer than commands wait elsewhere. */
const PATIENT = { failoverWaitMs: 120_000 };

const names = (count: number, prefix: string): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Too many for the arguments of a function. */
function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

async function soon(what: string, isThere: () => boolean): Promise<void> {
  const before = process.cpuUsage();
  await eventually(what, () => isThere() || undefined, { deadlineMs: 120_000 });
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1_000_000;
  assert.ok(seconds < CPU_SECONDS, `${what} took ${seconds} s of the processor's time`);
}

test('a prefix is cut off many keys', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const { port } = await proxyFor(t, withPrefixRemoved(planTo(redis.port), 'p:'), PATIENT);
  const client = clientOf(t, port);
  client.socket.write(encode(['SUNION', ...names(2 * COUNT, 'p:')]));
  await soon('the reply', () => client.got() !== '');
  assert.equal(client.got(), '+OK\r\n');
  assert.ok(redis.asked.includes(['SUNION', ...names(2 * COUNT, '')].join(' ')));
});

test('who asks COMMAND for more names than any server has asks Redis itself', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('COMMAND INFO') ? '*0\r\n' : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port), PATIENT);
  const client = clientOf(t, port);
  client.socket.write(encode(['COMMAND', 'INFO', ...names(COUNT, 'x')]));
  await soon('the reply', () => client.got() !== '');
  assert.equal(client.got(), '*0\r\n');
});

test('many shard channels are left at once', async (t) => {
  const redis = await serverThat(t, (words) => {
    const [kind = '', ...channels] = words.split(' ');
    return kind.endsWith('subscribe') ? channels.map((each) => array(kind, each, ':1')).join('') : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port), PATIENT);
  const client = clientOf(t, port);
  const channels = names(COUNT, '{c}');
  client.socket.write(encode(['SSUBSCRIBE', ...channels]));
  await soon('the confirmations', () => client.got().endsWith(`:${COUNT}\r\n`));
  client.socket.write(encode(['SUNSUBSCRIBE', ...channels]));
  await soon('the end', () => client.got().endsWith(':0\r\n'));
});

for (const kind of ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE']) {
  test(`of a ${kind} of many channels so many are asked for at once that others have their turns`, async (t) => {
    const redis = await serverThat(t, (words) => {
      const [name = '', ...channels] = words.split(' ');
      if (name === 'PING') return '+PONG\r\n';
      let count = Number(channels[0]?.replace('{c}', ''));
      return channels.map((each) => array(name, each, `:${++count}`)).join('');
    });
    const plan = planTo(redis.port);
    const { port } = await proxyFor(t, plan, { failoverWaitMs: 60_000 });
    const client = clientOf(t, port);
    const channels = names(25_000, '{c}');
    client.socket.write(`${encode([kind, ...channels])}*1\r\n$4\r\nPING\r\n`);
    await soon('the end', () => client.got().endsWith('*2\r\n$4\r\npong\r\n$0\r\n\r\n'));
    const name = kind.toLowerCase();
    const confirmations = channels.map((each, index) => array(name, each, `:${index + 1}`)).join('');
    assert.equal(client.got(), `${confirmations}*2\r\n$4\r\npong\r\n$0\r\n\r\n`);
    const asked = redis.asked.filter((words) => words.toUpperCase().startsWith(kind));
    assert.deepEqual(
      asked.map((words) => words.split(' ').length - 1),
      [10_000, 10_000, 5_000],
    );
  });
}
