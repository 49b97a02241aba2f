/**
 * A command that only Redis knows, while Redis does not say what it is.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { ProxyOptions } from '../../src/proxy/proxy.ts';
import { runningTime } from './running-time.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

const VALUE = '$1\r\nx\r\n';
const IS_KNOWN = '*1\r\n*6\r\n$5\r\nx.get\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n';

/** A Redis that closes the connection at so many questions about its commands. */
async function clientBefore(t: TestContext, closed: number, options: Partial<ProxyOptions>): Promise<Client> {
  let left = closed;
  const redis = await serverThat(t, (words, socket) => {
    if (!/^command/i.test(words)) return words === 'PING' ? '+PONG\r\n' : VALUE;
    left -= 1;
    if (left < 0) return IS_KNOWN;
    socket.destroy();
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port), options);
  const client = clientOf(t, port);
  client.socket.write('X.GET a\r\n');
  await eventually('the reply', () => client.got().endsWith('\r\n') || undefined);
  return client;
}

test('it waits until Redis says what it is', async (t) => {
  const client = await clientBefore(t, 2, { failoverWaitMs: 60_000 });
  assert.equal(client.got(), VALUE);
});

test('it waits no longer than any other', async (t) => {
  const client = await clientBefore(t, Infinity, { failoverWaitMs: 100 });
  assert.match(client.got(), /^-ERR 'X\.GET' is not carried out by this proxy: .*no Redis can be asked/);
});

test('another plan has it asked about where it goes by then', async (t) => {
  const silent = await serverThat(t, (words, socket) => {
    if (/^command/i.test(words)) socket.destroy();
    return '+PONG\r\n';
  });
  const redis = await serverThat(t, (words) => (/^command/i.test(words) ? IS_KNOWN : VALUE));
  const { port, proxy } = await proxyFor(t, planTo(silent.port), { failoverWaitMs: 60_000 });
  const client = clientOf(t, port);
  client.socket.write('X.GET a\r\n');
  await eventually('the question', () => silent.asked.some((words) => /^command/i.test(words)) || undefined);
  await proxy.update(planTo(redis.port));
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), VALUE);
});

test('where Redis then refuses it, it has waited already', async (t) => {
  const failoverWaitMs = 2_000;
  const since = performance.now();
  let running: (() => number) | undefined;
  let refusals = 0;
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'PING') return '+PONG\r\n';
    if (words.startsWith('X.GET')) refusals += 1;
    if (!/^command/i.test(words)) return '-LOADING Redis is loading the dataset in memory\r\n';
    if (performance.now() > since + 0.5 * failoverWaitMs) {
      running ??= runningTime(t);
      return IS_KNOWN;
    }
    socket.destroy();
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs });
  const client = clientOf(t, port);
  client.socket.write('X.GET a\r\n');
  await eventually('the reply', () => client.got().endsWith('\r\n') || undefined);
  const ranMs = running?.() ?? Infinity;
  assert.ok(refusals > 0, client.got());
  assert.ok(ranMs < 0.8 * failoverWaitMs, `another ${ranMs} ms`);
});
