import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import { eventually } from '../../../src/demo/eventually.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { giveOwnBytes } from '../../../src/proxy/wire/own-bytes.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { SlowLog } from '../../../src/proxy/wire/slow-log.ts';
import { clock } from '../../../src/proxy/wire/turn.ts';
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

/** What is logged of commands, each slow, by a log of its own. */
function logged(commands: readonly string[]): readonly { readonly command: string; untold?: number }[] {
  const lines: string[] = [];
  const slow = new SlowLog(pino({ base: null }, { write: (line) => void lines.push(line) }), 10);
  for (const command of commands) {
    if (command === 'a second later') {
      clock.now += 1_000;
      continue;
    }
    const bytes = encodeCommand(...command.split(' '));
    const request = Object.assign(takeRequest(), { sink: { deliver: () => {} } });
    giveOwnBytes(request, bytes, 0, bytes.length);
    slow.note(request, 'node');
  }
  return lines.map((line) => JSON.parse(line) as { command: string; untold?: number });
}

test('of a slow command that no table has nothing is logged that could be a secret', () => {
  const [line] = logged(['hunter2 hunter2:hunter2']);
  assert.equal(line?.command, 'unknown to the proxy');
  assert.ok(!JSON.stringify(line).includes('hunter2'));
});

test('many slow commands are ten lines a second, and with the next one how many more there were', (t) => {
  const { now } = clock;
  t.after(() => {
    clock.now = now;
  });
  const commands = Array.from({ length: 15 }, () => 'GET k');
  const lines = logged([...commands, 'a second later', 'GET k']);
  assert.deepEqual(
    lines.map(({ untold }) => untold),
    [...Array.from({ length: 10 }, () => undefined), 5],
  );
});
