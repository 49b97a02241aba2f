import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('a command that has waited for its node counts among those of the node, once', async (t) => {
  let isLoading = true;
  const redis = await serverThat(t, () => (isLoading ? '-LOADING it loads\r\n' : '+OK\r\n'));
  const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  const [first, second] = [clientOf(t, port), clientOf(t, port)];
  first.socket.write('SET a 1\r\n');
  await eventually('its refusal', () => (proxy.status()[0]?.events['held'] ?? 0) === 1 || undefined);
  second.socket.write('SET b 1\r\n');
  await eventually('both', () => (proxy.status()[0]?.events['held'] ?? 0) === 2 || undefined);
  isLoading = false;
  await eventually('the replies', () => (first.got() !== '' && second.got() !== '') || undefined);
  assert.equal(proxy.status()[0]?.nodes[0]?.writes, 2);
});
