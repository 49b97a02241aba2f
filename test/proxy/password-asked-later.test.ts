import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { ClientAuth, RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

const NONE: ClientAuth = { kind: 'none' };
const UNKNOWN: ClientAuth = { kind: 'unavailable', why: 'test' };
const NOAUTH = '-NOAUTH Authentication required.\r\n';
const OK = '+OK\r\n';
const CONFIRMED = '*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n';

function asking(plan: RoutingPlan, clientAuth: ClientAuth): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, clientAuth },
  }));
  return { ...plan, listeners };
}

function password(text: string): ClientAuth {
  return { kind: 'password', username: undefined, password: new SecretText(text) };
}

for (const [what, before, presented, after, wanted] of [
  ['came in without a password', NONE, undefined, password('new'), NOAUTH],
  ['gave a password that nobody asked for', NONE, 'AUTH default any\r\n', password('new'), NOAUTH],
  ['came in without a password, and there is none to know', NONE, undefined, UNKNOWN, NOAUTH],
  ['gave the one before', password('old'), 'AUTH old\r\n', password('new'), OK],
  ['has not given any, and none is asked for any more', password('old'), undefined, NONE, OK],
] as const) {
  test(`another password in the plan: a client that ${what} gets ${wanted === OK ? 'on' : 'NOAUTH'}`, async (t) => {
    const redis = await serverThat(t, () => OK);
    const plan = asking(planTo(redis.port), before);
    const { proxy, port } = await proxyFor(t, plan);
    const client = clientOf(t, port);
    await said(client, presented ?? 'PING\r\n');
    await proxy.update(asking(plan, after));
    assert.equal(await said(client, 'SET a 1\r\n'), wanted);
    assert.equal(redis.asked.includes('SET a 1'), wanted === OK);
  });
}

for (const refused of ['SET a 2', 'NOSUCH', 'EXEC']) {
  test(`a transaction of which ${refused} is refused, since a password is asked for by then, is none`, async (t) => {
    const redis = await serverThat(t, (words) => (words === 'EXEC' ? '*1\r\n+OK\r\n' : OK));
    const plan = asking(planTo(redis.port), NONE);
    const { proxy, port } = await proxyFor(t, plan);
    const client = clientOf(t, port);
    await said(client, 'MULTI\r\n');
    await said(client, 'SET a 1\r\n');
    await proxy.update(asking(plan, password('new')));
    assert.equal(await said(client, `${refused}\r\n`), NOAUTH);
    assert.equal(await said(client, 'AUTH new\r\n'), OK);
    assert.match(await said(client, 'EXEC\r\n'), /^-EXECABORT /);
    assert.equal(redis.asked.includes('EXEC'), false);
  });
}

test('a subscriber that has given no password is disconnected where one is asked for', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'subscribe news' ? CONFIRMED : OK));
  const plan = asking(planTo(redis.port), NONE);
  const { proxy, port } = await proxyFor(t, plan);
  const client = clientOf(t, port);
  await said(client, 'SUBSCRIBE news\r\n');
  await proxy.update(asking(plan, password('new')));
  await eventually('its end', () => client.hasEnded || undefined);
});

test('RESET takes back what was given before', async (t) => {
  const redis = await serverThat(t, () => OK);
  const plan = asking(planTo(redis.port), password('old'));
  const { proxy, port } = await proxyFor(t, plan);
  const client = clientOf(t, port);
  assert.equal(await said(client, 'AUTH old\r\n'), OK);
  assert.equal(await said(client, 'RESET\r\n'), '+RESET\r\n');
  await proxy.update(asking(plan, password('new')));
  assert.equal(await said(client, 'SET a 1\r\n'), NOAUTH);
});

async function said(client: Client, asked: string): Promise<string> {
  const before = client.got().length;
  client.socket.write(asked);
  await eventually('its reply', () => client.got().slice(before).endsWith('\r\n') || undefined);
  return client.got().slice(before);
}
