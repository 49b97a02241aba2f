/**
 * Commands of very many arguments cost the time that their bytes take: with a loop within a loop each of these would hold
 * everybody up for a minute and more.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { array, clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const COUNT = 200_000;
const DEADLINE_MS = 20_000;

const names = (count: number, prefix: string): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Too many for the arguments of a function. */
function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

test('a prefix is cut off many keys', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const cutting = (plan: RoutingPlan): RoutingPlan => ({
    ...plan,
    listeners: plan.listeners.map(({ bind, listener }) => {
      const { catchAll } = listener.routes;
      const prefixes = [{ ...catchAll!, prefix: 'p:', removePrefix: true }];
      return { bind, listener: { ...listener, routes: { ...listener.routes, prefixes } } };
    }),
  });
  const { port } = await proxyFor(t, cutting(planTo(redis.port)));
  const client = clientOf(t, port);
  client.socket.write(encode(['SUNION', ...names(2 * COUNT, 'p:')]));
  await eventually('the reply', () => client.got() !== '' || undefined, { deadlineMs: DEADLINE_MS });
  assert.ok(redis.asked.includes(['SUNION', ...names(2 * COUNT, '')].join(' ')));
});

test('who asks COMMAND for more names than any server has asks Redis itself', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('COMMAND INFO') ? '*0\r\n' : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write(encode(['COMMAND', 'INFO', ...names(COUNT, 'x')]));
  await eventually('the reply', () => client.got() !== '' || undefined, { deadlineMs: DEADLINE_MS });
  assert.equal(client.got(), '*0\r\n');
});

test('many shard channels are left at once', async (t) => {
  const redis = await serverThat(t, (words) => {
    const [kind = '', ...channels] = words.split(' ');
    return kind.endsWith('subscribe') ? channels.map((each) => array(kind, each, ':1')).join('') : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  const channels = names(COUNT, '{c}');
  const hasEnding = (last: string): true | undefined => (client.got().endsWith(last) ? true : undefined);
  client.socket.write(encode(['SSUBSCRIBE', ...channels]));
  await eventually('the confirmations', () => hasEnding(`:${COUNT}\r\n`), { deadlineMs: DEADLINE_MS });
  client.socket.write(encode(['SUNSUBSCRIBE', ...channels]));
  await eventually('the end', () => hasEnding(':0\r\n'), { deadlineMs: DEADLINE_MS });
});
