import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Fault } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('a delay that is no longer in the plan delays nothing', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const plan = planTo(redis.port);
  const late: Fault = { type: 'DELAY', percentage: 100, delayMs: 60_000, commands: ['mget'] };
  const withFaults = (faults: readonly Fault[]): typeof plan => ({
    ...plan,
    listeners: plan.listeners.map(({ bind, listener }) => ({ bind, listener: { ...listener, faults } })),
  });
  const { port, proxy } = await proxyFor(t, withFaults([late]));
  const client = clientOf(t, port);
  const wrong = "-ERR wrong number of arguments for 'mget' command\r\n";
  client.socket.write('MGET\r\n');
  await eventually('the refusal', () => client.got().length >= wrong.length || undefined);
  await proxy.update(withFaults([]));
  client.socket.write('GET a\r\n');
  await eventually('the reply', () => client.got().length > wrong.length || undefined);
  assert.equal(client.got(), `${wrong}+OK\r\n`);
});
