import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AnswerLimit } from '../../../src/sources/observations/answer-limit.ts';

const MIB = 1_048_576;

const cases: readonly (readonly [what: string, said: string, times: number, isAllowed: boolean])[] = [
  ['a string of 30 MiB', `$${30 * MIB}\r\n${'x'.repeat(30 * MIB)}\r\n`, 1, true],
  ['many of them', `$${30 * MIB}\r\n${'x'.repeat(30 * MIB)}\r\n`, 3, true],
  ['a string of 40 MiB', `$${40 * MIB}\r\n${'x'.repeat(40 * MIB)}\r\n`, 1, false],
  ['a line without end', `+${'x'.repeat(40 * MIB)}`, 1, false],
  ['a list of long strings', `*2\r\n${`$${20 * MIB}\r\n${'x'.repeat(20 * MIB)}\r\n`.repeat(2)}`, 1, false],
  ['a list of many values', '*4000000\r\n', 1, true],
  ['a list of more', '*5000000\r\n', 1, false],
  ['lists that have more together', '*3000000\r\n*3000000\r\n', 1, false],
  ['what looks like lists in a string', '$31\r\n*5000000\r\n*5000000\r\n*5000000\r\n*\r\n', 2, true],
  ['lists in lists', '*1\r\n'.repeat(30), 1, true],
  ['lists in lists in lists', '*1\r\n'.repeat(40), 1, false],
  ['small answers without end', '*2\r\n*0\r\n$-1\r\n*-1\r\n:-1\r\n-ERR\r\n$0\r\n\r\n', 100_000, true],
];

for (const [what, said, times, isAllowed] of cases) {
  test(`${what} is ${isAllowed ? 'heard' : 'too much'}, in whatever pieces it comes`, () => {
    for (const size of [65_536, said.length > MIB ? 4_099 : 7]) {
      const limit = new AnswerLimit();
      const bytes = Buffer.from(said);
      let heard = true;
      for (let time = 0; time < times && heard; time++) {
        for (let at = 0; at < bytes.length && heard; at += size)
          heard = limit.allows(bytes.subarray(at, at + size));
      }
      assert.equal(heard, isAllowed, `in pieces of ${size}`);
    }
  });
}
