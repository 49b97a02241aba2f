import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inlineToCommand } from '../../src/redis/inline.ts';

const CASES: [line: string, words: string[] | string][] = [
  ['PING\r\n', ['PING']],
  ['  SET  k   v \n', ['SET', 'k', 'v']],
  [String.raw`SET k "a b\n\x41\""` + '\r\n', ['SET', 'k', 'a b\nA"']],
  [String.raw`SET k 'it\'s'` + '\r\n', ['SET', 'k', "it's"]],
  ['SET k ""\n', ['SET', 'k', '']],
  ['\r\n', []],
  ['GET "a\r\n', 'unbalanced quotes in request'],
  ['GET "a"b\r\n', 'unbalanced quotes in request'],
  ['POST / HTTP/1.1\r\n', 'this is Redis, and was asked in HTTP'],
  ['host: localhost:6379\r\n', 'this is Redis, and was asked in HTTP'],
  ['GET POST\r\n', ['GET', 'POST']],
  ['\v\fGET a\r\n', ['GET', 'a']],
  ['GET\va\fb\r\n', ['GET\va\fb']],
  ['GET\ta \vb\r\n', ['GET', 'a', 'b']],
  ['ECHO "a"\vb\r\n', ['ECHO', 'a', 'b']],
  ['ECHO x"a"\f\r\n', ['ECHO', 'xa']],
];

for (const [line, words] of CASES) {
  test(`${JSON.stringify(line)} is ${JSON.stringify(words)}`, () => {
    assert.equal(inlineToCommand(Buffer.from(line, 'latin1')).toString('latin1'), inRespOr(words));
  });
}

function inRespOr(words: string[] | string): string {
  if (typeof words === 'string') return words;
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return parts.length === 0 ? '' : `*${parts.length}\r\n${parts.join('')}`;
}

test('bytes above 0x7f pass as they are', () => {
  const command = inlineToCommand(Buffer.from([0x47, 0x20, 0xff, 0x0a]));
  assert.deepEqual(command, Buffer.from('*2\r\n$1\r\nG\r\n$1\r\n\xff\r\n', 'latin1'));
});

test('a letter whose last byte would be a space elsewhere is one word with the others', () => {
  const command = inlineToCommand(Buffer.from('SET k à-la-carte\r\n'));
  assert.deepEqual(command, Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$11\r\nà-la-carte\r\n'));
});
