import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('a slow command with its keys behind a count is logged with what stands before the colon', async (t) => {
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'PING') return '+PONG\r\n';
    setTimeout(() => socket.write(':1\r\n'), 20);
    return undefined;
  });
  const { port, lines } = await proxyFor(t, planTo(redis.port), { logSlowerThanMs: 10 });
  const client = clientOf(t, port);
  client.socket.write("EVAL 'return 1' 1 session:secret other:value\r\n");
  await eventually('the reply', () => client.got() === ':1\r\n' || undefined);
  const line = JSON.parse(lines.find((each) => each.includes('slow command')) ?? '{}') as {
    readonly command?: string;
    readonly keys?: string;
  };
  assert.deepEqual([line.command, line.keys], ['eval', 'session:*']);
});
