import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, Server } from 'node:net';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { ListenProblems } from '../../src/proxy/proxy.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** A listener for each port, all before the same Redis. */
function planOn(redis: number, ports: readonly number[]): RoutingPlan {
  const plan = planTo(redis);
  const [bound] = plan.listeners;
  assert.ok(bound);
  const listeners = ports.map((port) => ({
    bind: { ...bound.bind, port },
    listener: { ...bound.listener, id: `listener-${port}` },
  }));
  return { ...plan, listeners };
}

test('an address that is taken keeps the proxy from being ready, and no other listener from serving', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n'));
  const [free = 0, taken = 0] = await freePorts(2);
  const other = createServer().listen(taken, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { proxy, lines } = await proxyFor(t, planOn(redis.port, [free]));
  await assert.rejects(proxy.update(planOn(redis.port, [free, taken])), ListenProblems);

  const client = clientOf(t, free);
  client.socket.write('GET a\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined, { deadlineMs: 30_000 });
  const reason = `listener-${taken} does not listen: 127.0.0.1:${taken} is in use by another process`;
  assert.equal(proxy.notReady(), reason);

  other.close();
  await eventually('ready', () => proxy.notReady() === undefined || undefined, { deadlineMs: 30_000 });
  const late = clientOf(t, taken);
  late.socket.write('GET a\r\n');
  await eventually('a reply', () => late.got() !== '' || undefined, { deadlineMs: 30_000 });
  assert.ok(lines.some((line) => line.includes(`listener-${taken} listens on`)));
});

test('a listener that can not move stays where it was until it can', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [from = 0, to = 0] = await freePorts(2);
  const other = createServer().listen(to, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const before = planOn(redis.port, [from]);
  const { proxy } = await proxyFor(t, before);
  const [bound] = before.listeners;
  assert.ok(bound);
  const moved = { ...before, listeners: [{ ...bound, bind: { ...bound.bind, port: to } }] };
  await assert.rejects(proxy.update(moved), ListenProblems);
  const places = (): readonly (string | undefined)[] => proxy.listeners().map(({ address }) => address);
  assert.deepEqual(places(), [`127.0.0.1:${from}`]);
  other.close();
  await eventually('the move', () => places()[0] === `127.0.0.1:${to}` || undefined, { deadlineMs: 30_000 });
  assert.equal(places().length, 1);
});

test('plans in quick succession are carried out one after the other', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [first = 0, second = 0, third = 0] = await freePorts(3);
  const { proxy } = await proxyFor(t, planOn(redis.port, [first]));
  await Promise.all([
    proxy.update(planOn(redis.port, [first, second, third])),
    proxy.update(planOn(redis.port, [second])),
    proxy.update(planOn(redis.port, [third, second])),
  ]);
  const places = proxy.listeners().map(({ address }) => address);
  assert.deepEqual(new Set(places), new Set([`127.0.0.1:${second}`, `127.0.0.1:${third}`]));
});

test('a plan that is being carried out when the proxy closes leaves nothing listening', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [first = 0, second = 0] = await freePorts(2);
  const { proxy } = await proxyFor(t, planOn(redis.port, [first]));
  const updated = proxy.update(planOn(redis.port, [first, second]));
  // It has begun by then.
  await Promise.resolve();
  const closed = proxy.close();
  await Promise.all([updated, closed, proxy.update(planOn(redis.port, [second]))]);
  const client = clientOf(t, second);
  await assert.rejects(once(client.socket, 'connect'), { code: 'ECONNREFUSED' });
});

test('a plan without a listener is a warning, once', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [port = 0] = await freePorts(1);
  const { proxy, lines } = await proxyFor(t, planOn(redis.port, []));
  const told = (): number => lines.filter((line) => line.includes('nothing listens')).length;
  assert.equal(told(), 1);
  await proxy.update(planOn(redis.port, []));
  assert.equal(told(), 1);
  await proxy.update(planOn(redis.port, [port]));
  await proxy.update(planOn(redis.port, []));
  assert.equal(told(), 2);
});

test('clients that can not be accepted, however many, end nothing', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const listen = t.mock.method(Server.prototype, 'listen');
  const { port } = await proxyFor(t, planTo(redis.port));
  const servers = listen.mock.calls.map((call) => call.this as Server).filter(({ listening }) => listening);
  assert.equal(servers.length, 1);
  for (let count = 0; count < 2; count++) servers[0]?.emit('error', new Error('accept ENOBUFS'));
  const client = clientOf(t, port);
  client.socket.write('PING\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined);
});
