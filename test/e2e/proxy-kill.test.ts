import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { client } from './proxy-setting.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { answerOf } from './sidecar.ts';

for (const [what, run, kill] of [
  ['script', 'EVAL', 'SCRIPT'],
  ['function', 'FCALL', 'FUNCTION'],
] as const) {
  test(`a ${what} that does not end is killed through the proxy`, async (t) => {
    const nodes = await startServers(t, 1);
    const [node] = nodes ?? [];
    if (nodes === undefined || node === undefined) return;
    const busyAfterMs = 100;
    await node.client.config('SET', 'lua-time-limit', String(busyAfterMs));
    // By the time that it is busy, it is silent for the proxy.
    const settings = { hedgeAfterMs: busyAfterMs / 2, failoverWaitMs: 30_000 };
    const port = await startListener(t, [servers('redis', nodes)], () => catchAll('redis'), settings);
    const [one, other] = [client(t, port), client(t, port)];
    const endless = 'while true do end';
    const library = `#!lua name=lib\nredis.register_function('f', function() ${endless} end)`;
    if (run === 'FCALL') await other.call('FUNCTION', 'LOAD', library);
    const running = answerOf(one.call(run, run === 'FCALL' ? 'f' : endless, 0));
    await eventually('its being busy', async () =>
      String(await answerOf(node.client.get('key'))).startsWith('BUSY') ? true : undefined,
    );
    assert.equal(await answerOf(other.call(kill, 'KILL')), 'OK');
    assert.match(String(await running), /killed by user/);
  });
}
