import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Session } from '../../src/proxy/client/session.ts';
import { slotAskedAbout } from '../../src/proxy/commands/cluster-emulation.ts';
import { tellCommands } from '../../src/proxy/commands/command-command.ts';
import { selected } from '../../src/proxy/commands/local-commands.ts';
import { channelOf } from '../../src/proxy/pubsub/subscription-messages.ts';
import { argumentOfBlock } from '../../src/proxy/commands/time-limit.ts';
import { unblocked } from '../../src/proxy/commands/unblocked.ts';
import { planEverywhere } from '../../src/proxy/commands/everywhere.ts';
import { refusalText } from '../../src/proxy/upstream/refusal.ts';
import { commandByName } from '../../src/redis/command-table.ts';
import { keyArguments, sortPatterns } from '../../src/redis/keys.ts';
import { BROKEN, COMPLETE, INCOMPLETE, REQUEST_LIMITS, RequestFrame } from '../../src/redis/request-frame.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('an argument is never longer than a string can be', () => {
  const statusOf = (length: number): number => {
    const bytes = Buffer.from(`*1\r\n$${length}\r\n`);
    return new RequestFrame().parse(bytes, bytes.length, REQUEST_LIMITS);
  };
  assert.equal(statusOf(constants.MAX_STRING_LENGTH + 1), BROKEN);
  assert.equal(statusOf(500 * 1_024 * 1_024), INCOMPLETE);
});

/** As long as a string can be, between `head` and a line end. */
function longest(head: string): Buffer {
  const bytes = Buffer.alloc(head.length + constants.MAX_STRING_LENGTH + 2);
  bytes.write(head, 'latin1');
  bytes.write('\r\n', bytes.length - 2, 'latin1');
  return bytes;
}

test('what is as long as a string can be is never part of a longer one', () => {
  for (const name of ['config', 'get']) {
    const length = constants.MAX_STRING_LENGTH;
    const bytes = longest(`*2\r\n$${name.length}\r\n${name}\r\n$${length}\r\n`);
    const frame = new RequestFrame();
    assert.equal(frame.parse(bytes, bytes.length, REQUEST_LIMITS), COMPLETE);
    assert.equal(planEverywhere(bytes, frame, commandByName(name)!), undefined);
  }
  const message = longest(`*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${constants.MAX_STRING_LENGTH}\r\n`);
  assert.equal(channelOf(message, 0, message.length), 'c');
  const error = longest('-MOVED ');
  assert.equal(refusalText(error, 0, error.length), undefined);
});

test('a word is none of a command where it would be too long in upper case, or too large a number', () => {
  const word = 'ß'.repeat(constants.MAX_STRING_LENGTH / 2 + 1);
  const asked = ['xread', word, 'STREAMS', 'k', '0'];
  assert.equal(
    argumentOfBlock(asked.length, (index) => asked[index]!),
    undefined,
  );
  assert.equal(unblocked(asked)?.key, 3);
  const keys = (name: string): readonly number[] =>
    keyArguments(commandByName(name)!.keys, asked.length, (index) => asked[index]!);
  assert.deepEqual([keys('xread'), keys('sort')], [[3], [1]]);
  const sorted = ['sort', 'k', word];
  assert.deepEqual(
    sortPatterns(sorted.length, (index) => sorted[index]!),
    [],
  );
  assert.equal(slotAskedAbout([word, '1']), undefined);
  assert.equal(tellCommands({} as unknown as Session, commandByName('command')!, [word]), false);
  const digits = '9'.repeat(constants.MAX_STRING_LENGTH);
  assert.match(selected(digits, false).toString(), /^-ERR value is not an integer/);
});

const long = (bytes: number): string => `$${bytes}\r\n${'x'.repeat(bytes)}\r\n`;
const word = (text: string): string => `$${text.length}\r\n${text}\r\n`;

for (const [what, asked, wanted] of [
  [
    'CLIENT SETNAME',
    `*3\r\n${word('CLIENT')}${word('SETNAME')}${long(1_025)}`,
    '-ERR Client names cannot be longer than 1024 bytes.\r\n',
  ],
  ['HELLO', `*2\r\n${word('HELLO')}${long(70_000)}`, "-ERR an argument of 'hello' is too long\r\n"],
  [
    'SUBSCRIBE',
    `*2\r\n${word('SUBSCRIBE')}${long(17_000_000)}`,
    "-ERR 'subscribe' names too much at once\r\n",
  ],
  ['ECHO', `*2\r\n${word('ECHO')}${long(70_000)}`, long(70_000)],
  ['COMMAND INFO', `*3\r\n${word('COMMAND')}${word('INFO')}${long(70_000)}`, '+OK\r\n'],
] as const) {
  test(`what ${what} is asked with is put together only as far as it can be`, async (t) => {
    const redis = await serverThat(t, () => '+OK\r\n');
    const { port } = await proxyFor(t, planTo(redis.port));
    const client = clientOf(t, port);
    client.socket.write(asked);
    await eventually('the reply', () => client.got().length >= wanted.length || undefined);
    assert.equal(client.got(), wanted);
  });
}
