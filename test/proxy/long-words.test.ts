import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { INCOMPLETE, REQUEST_LIMITS, BROKEN, RequestFrame } from '../../src/redis/request-frame.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('an argument is never longer than a string can be', () => {
  const statusOf = (length: number): number => {
    const bytes = Buffer.from(`*1\r\n$${length}\r\n`);
    return new RequestFrame().parse(bytes, bytes.length, REQUEST_LIMITS);
  };
  assert.equal(statusOf(constants.MAX_STRING_LENGTH + 1), BROKEN);
  assert.equal(statusOf(500 * 1_024 * 1_024), INCOMPLETE);
});

const long = (bytes: number): string => `$${bytes}\r\n${'x'.repeat(bytes)}\r\n`;
const word = (text: string): string => `$${text.length}\r\n${text}\r\n`;

for (const [what, asked, wanted] of [
  ['CLIENT', `*2\r\n${word('CLIENT')}${long(70_000)}`, "-ERR an argument of 'client' is too long\r\n"],
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
