import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { mirrored } from '../mirrored.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

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

test('a mirror that is slow holds up no client, and is not logged', async (t) => {
  const main = await serverThat(t, () => '+OK\r\n');
  const mirror = await serverThat(t, (words, socket) => {
    if (words.startsWith('SET')) setTimeout(() => socket.write('+OK\r\n'), 50);
    return words.startsWith('SET') ? undefined : '+PONG\r\n';
  });
  const plan = mirrored(planTo(main.port), planTo(mirror.port));
  const { port, proxy, lines } = await proxyFor(t, plan, { logSlowerThanMs: 40 });
  const replies = (): number =>
    proxy
      .status()
      .flatMap(({ nodes }) => nodes)
      .filter(({ address }) => address.endsWith(`:${mirror.port}`))
      .flatMap(({ repliesWithinMs }) => Object.values(repliesWithinMs))
      .reduce((sum, count) => sum + count, 0);
  const before = replies();
  clientOf(t, port).socket.write('SET k 1\r\n');
  await eventually('the reply to the copy', () => replies() > before || undefined);
  const ofMirror = lines.filter((line) => line.includes('slow command') && line.includes(`:${mirror.port}"`));
  assert.deepEqual(ofMirror, []);
});
