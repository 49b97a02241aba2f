import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inlineToCommand } from '../../src/redis/inline.ts';

const CASES: [line: string, words: string[] | undefined][] = [
  ['PING\r\n', ['PING']],
  ['  SET  k   v \n', ['SET', 'k', 'v']],
  [String.raw`SET k "a b\n\x41\""` + '\r\n', ['SET', 'k', 'a b\nA"']],
  [String.raw`SET k 'it\'s'` + '\r\n', ['SET', 'k', "it's"]],
  ['SET k ""\n', ['SET', 'k', '']],
  ['\r\n', []],
  ['GET "a\r\n', undefined],
  ['GET "a"b\r\n', undefined],
];

for (const [line, words] of CASES) {
  const said = words === undefined ? 'has unbalanced quotes' : `is ${JSON.stringify(words)}`;
  test(`${JSON.stringify(line)} ${said}`, () => {
    const expected = words?.map((word) => `$${word.length}\r\n${word}\r\n`);
    assert.equal(
      inlineToCommand(Buffer.from(line, 'latin1'))?.toString('latin1'),
      expected && (expected.length === 0 ? '' : `*${expected.length}\r\n${expected.join('')}`),
    );
  });
}

test('bytes above 0x7f pass as they are', () => {
  const command = inlineToCommand(Buffer.from([0x47, 0x20, 0xff, 0x0a]));
  assert.deepEqual(command, Buffer.from('*2\r\n$1\r\nG\r\n$1\r\n\xff\r\n', 'latin1'));
});
