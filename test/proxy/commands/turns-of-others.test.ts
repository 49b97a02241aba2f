/**
 * What the proxy answers by itself costs no other client more than a moment, however much of it one client asks at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { commandCounts } from '../../../src/proxy/wire/outcomes.ts';
import type { RoutingPlan } from '../../../src/plan/routing-plan.ts';
import { commandByName } from '../../../src/redis/command-table.ts';
import { clientOf, planTo, proxyFor, serverThat, withFault } from '../servers.ts';

const COMMANDS = 20_000;
/** What is taken in at once of commands that Redis answers. */
const MOST = 1_024;

const nowhere = (plan: RoutingPlan): RoutingPlan => ({ ...plan, upstreams: new Map() });
const failing = (plan: RoutingPlan): RoutingPlan =>
  withFault(plan, { type: 'ERROR', percentage: 100, delayMs: undefined, commands: [] });

for (const [what, name, change, reply] of [
  ['its own commands', 'ping', (plan: RoutingPlan) => plan, '+PONG\r\n'],
  ['commands without an upstream', 'get', nowhere, '-upstream failure\r\n'],
  ['commands that a fault answers', 'get', failing, '-Fault Injected: Error\r\n'],
] as const) {
  test(`of ${what} few are answered in one turn`, async (t) => {
    const redis = await serverThat(t, () => '+PONG\r\n');
    const { port } = await proxyFor(t, change(planTo(redis.port)));
    const client = clientOf(t, port);
    const { index } = commandByName(name)!;
    let most = 0;
    let before = commandCounts[index]!;
    const wanted = before + COMMANDS;
    const look = (): void => {
      const now = commandCounts[index]!;
      most = Math.max(most, now - before);
      before = now;
      if (now < wanted) setImmediate(look);
    };
    look();
    const command = name === 'get' ? 'GET k\r\n' : 'PING\r\n';
    client.socket.write(command.repeat(COMMANDS));
    await eventually('the replies', () => client.got().length >= COMMANDS * reply.length || undefined);
    assert.equal(client.got(), reply.repeat(COMMANDS));
    assert.ok(most > 0 && most <= MOST, `${most} in one turn`);
  });
}

test('a client that ends its direction behind a long pipeline gets all of its replies', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port, true);
  client.socket.end('PING\r\n'.repeat(COMMANDS));
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), '+PONG\r\n'.repeat(COMMANDS));
});
