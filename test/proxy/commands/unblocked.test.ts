import assert from 'node:assert/strict';
import { test } from 'node:test';

import { unblocked } from '../../../src/proxy/commands/unblocked.ts';

for (const [command, found, wanted, key] of [
  ['BLPOP a 0', undefined, 'LPOP a', 'a'],
  ['brpop a b 0', 'b', 'RPOP b', 'b'],
  ['BRPOP a b 0', undefined, 'LMPOP 2 a b RIGHT', 'a'],
  ['BZPOPMIN a b 0', 'a', 'ZPOPMIN a', 'a'],
  ['BZPOPMAX a b 0', undefined, 'ZMPOP 2 a b MAX', 'a'],
  ['BLMOVE a b LEFT RIGHT 0', undefined, 'LMOVE a b LEFT RIGHT', 'a'],
  ['BRPOPLPUSH a b 0', undefined, 'RPOPLPUSH a b', 'a'],
  ['BLMPOP 0 2 a b LEFT COUNT 3', 'b', 'LMPOP 1 b LEFT COUNT 3', 'b'],
  ['BZMPOP 0 2 a b MIN', undefined, 'ZMPOP 2 a b MIN', 'a'],
  ['XREAD COUNT 1 BLOCK 0 STREAMS a b $ $', undefined, 'XREAD COUNT 1 STREAMS a b $ $', 'a'],
  ['XREAD BLOCK 0 COUNT 1 block 5 STREAMS a $', undefined, 'XREAD COUNT 1 STREAMS a $', 'a'],
  ['XREAD STREAMS BLOCK 0', undefined, 'XREAD STREAMS BLOCK 0', 'BLOCK'],
  [
    'XREADGROUP GROUP BLOCK STREAMS BLOCK 5 NOACK STREAMS a >',
    undefined,
    'XREADGROUP GROUP BLOCK STREAMS NOACK STREAMS a >',
    'a',
  ],
] as const) {
  test(`${command} without waiting${found === undefined ? '' : `, for ${found},`} is ${wanted}`, () => {
    const { words = [], key: at = 0 } = unblocked(command.split(' '), found) ?? {};
    assert.deepEqual([words.join(' '), words[at]], [wanted, key]);
  });
}

test('WAIT, and what only its server knows, leave nothing to do', () => {
  for (const command of ['WAIT 1 0', 'WAITAOF 1 0 0', 'MODULE.WAIT k 0']) {
    assert.equal(unblocked(command.split(' ')), undefined);
  }
});
