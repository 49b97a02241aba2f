import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually } from '../../src/demo/eventually.ts';
import { startLoad } from '../../src/demo/load.ts';
import { serverThat } from '../proxy/servers.ts';

test('the last commands of a load have failed only if they are answered neither soon nor late', async (t) => {
  let holdsBackMs: number | undefined = 0;
  const server = await serverThat(t, (words, socket) => {
    if (/^info/i.test(words)) return '$9\r\nloading:0\r\n';
    const reply = /^get/i.test(words) ? '$-1\r\n' : '+OK\r\n';
    if (holdsBackMs === 0 || !/^[gs]et /i.test(words)) return reply;
    // As a machine does that lets it stand still.
    if (holdsBackMs !== undefined) void sleep(holdsBackMs).then(() => socket.write(reply));
    return undefined;
  });
  const failed = async (ms: number | undefined): Promise<readonly [number, string]> => {
    holdsBackMs = 0;
    const load = startLoad(server.port);
    await eventually('answers', () => load.totals().reads > 0 || undefined);
    holdsBackMs = ms;
    const asked = server.asked.length;
    await eventually('a command that waits', () => server.asked.length > asked || undefined);
    await load.stop();
    return [load.totals().errors, load.lastError()];
  };
  assert.deepEqual(await failed(1_500), [0, '']);
  const [errors, why] = await failed(undefined);
  assert.ok(errors > 0);
  assert.equal(why, 'no answer within 5 s');
});
