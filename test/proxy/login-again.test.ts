/**
 * A password that is in the plan before the server has it: once it lets the proxy in, so are those who were refused.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { array, clientOf, planTo, proxyFor, serverThat, type Client, type Server } from './servers.ts';

const LATE = { deadlineMs: 30_000 };
const CONFIRMED = array('subscribe', 'news', ':1');

interface Redis extends Server {
  /** Those that were confirmed, the newest last. */
  readonly subscribers: readonly Socket[];
}

/** With a password that can be changed; connections that were let in stay so. */
async function redis(
  t: TestContext,
  wanted: { password: string; mayNotSubscribe?: boolean },
): Promise<Redis> {
  const letIn = new WeakSet<object>();
  const subscribers: Socket[] = [];
  const server = await serverThat(t, (words, socket) => {
    const [name, password] = words.split(' ');
    if (name === 'AUTH') {
      if (password !== wanted.password) return '-WRONGPASS invalid username-password pair\r\n';
      letIn.add(socket);
      return '+OK\r\n';
    }
    if (!letIn.has(socket)) return '-NOAUTH Authentication required.\r\n';
    if (name !== 'subscribe') return name === 'PING' ? '+PONG\r\n' : '$-1\r\n';
    if (wanted.mayNotSubscribe === true) return '-NOPERM this user has no permissions\r\n';
    subscribers.push(socket);
    return CONFIRMED;
  });
  return { ...server, subscribers };
}

function planWith({ port }: Server, password: string): RoutingPlan {
  return planTo(port, { upstreamPassword: new SecretText(password) });
}

async function said(client: Client, asked: string): Promise<string> {
  const before = client.got().length;
  client.socket.write(asked);
  await eventually('its reply', () => client.got().slice(before).endsWith('\r\n') || undefined);
  return client.got().slice(before);
}

test('a connection that was refused is not used any more once the server lets the proxy in', async (t) => {
  const wanted = { password: 'old' };
  const server = await redis(t, wanted);
  const { port } = await proxyFor(t, planWith(server, 'new'));
  const client = clientOf(t, port);
  assert.match(await said(client, 'GET a\r\n'), /^-NOAUTH/);
  wanted.password = 'new';
  await eventually(
    'being let in',
    async () => (await said(client, 'GET a\r\n')) === '$-1\r\n' || undefined,
    LATE,
  );
});

test('a subscriber of before the change is one again once the server lets the proxy in', async (t) => {
  const wanted = { password: 'old' };
  const server = await redis(t, wanted);
  const { proxy, port } = await proxyFor(t, planWith(server, 'old'));
  const client = clientOf(t, port);
  assert.equal(await said(client, 'SUBSCRIBE news\r\n'), CONFIRMED);
  const asked = (): number => server.asked.filter((words) => words === 'subscribe news').length;
  await proxy.update(planWith(server, 'new'));
  await eventually('its being refused', () => asked() > 1 || undefined, LATE);
  wanted.password = 'new';
  await eventually('its being confirmed', () => server.subscribers[1], LATE);
  const message = array('message', 'news', '$2\r\nhi');
  assert.equal(client.got(), CONFIRMED);
  server.subscribers[1]?.write(message);
  await eventually('the message', () => client.got() === `${CONFIRMED}${message}` || undefined);
});

test('a subscriber that may be one no longer is disconnected', async (t) => {
  const wanted = { password: 'one', mayNotSubscribe: false };
  const server = await redis(t, wanted);
  const { port } = await proxyFor(t, planWith(server, 'one'));
  const client = clientOf(t, port);
  assert.equal(await said(client, 'SUBSCRIBE news\r\n'), CONFIRMED);
  wanted.mayNotSubscribe = true;
  for (const socket of server.subscribers) socket.destroy();
  await eventually('its end', () => client.hasEnded || undefined, LATE);
});
