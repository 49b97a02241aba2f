/**
 * Servers that a plan leads to no more, while something that was asked of them waits.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';
const TORN = '-TRYAGAIN Multiple keys request during rehashing of slot\r\n';

test('a write that waits until its server has loaded is carried out there, wherever a later plan leads', async (t) => {
  let isLoading = true;
  const former = await serverThat(t, (words) =>
    isLoading ? LOADING : words === 'PING' ? '+PONG\r\n' : '+OK\r\n',
  );
  let tries = 0;
  const later = await serverThat(t, (words) => {
    if (words !== 'INCR k') return '+PONG\r\n';
    tries += 1;
    return tries > 3 ? ':1\r\n' : TORN;
  });
  const plan = planTo(former.port);
  const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 20_000 });
  const [client, other] = [clientOf(t, port), clientOf(t, port)];
  client.socket.write('SET k 1\r\n');
  await eventually('its waiting', () => proxy.status()[0]?.events['held'] === 1 || undefined);
  await proxy.update(planTo(later.port, { listen: plan.listeners[0]!.bind }));
  other.socket.write('INCR k\r\n');
  // By then it was looked more than once for who is needed no longer.
  await eventually('the reply of another', () => other.got() === ':1\r\n' || undefined);
  assert.equal(client.got(), '');
  isLoading = false;
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+OK\r\n');
});
