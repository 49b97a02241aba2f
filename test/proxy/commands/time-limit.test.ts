import assert from 'node:assert/strict';
import { test } from 'node:test';

import { timeLimitMs, withTimeLeft } from '../../../src/proxy/commands/time-limit.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';

const messageOf = (text: string): Buffer => encodeCommand(...text.split(' '));

const cases: [command: string, limitMs: number | undefined, with1234p2Left: string][] = [
  ['BLPOP a b 5', 5_000, 'BLPOP a b 1.235'],
  ['brpop a 0', Infinity, 'brpop a 0'],
  ['BRPOPLPUSH a b 2.5', 2_500, 'BRPOPLPUSH a b 1.235'],
  ['BLMOVE a b LEFT RIGHT 2e1', 20_000, 'BLMOVE a b LEFT RIGHT 1.235'],
  ['BZPOPMIN a 5', 5_000, 'BZPOPMIN a 1.235'],
  ['BZPOPMAX a 5', 5_000, 'BZPOPMAX a 1.235'],
  ['BLMPOP 5 1 a LEFT COUNT 2', 5_000, 'BLMPOP 1.235 1 a LEFT COUNT 2'],
  ['BZMPOP 5 1 a MIN', 5_000, 'BZMPOP 1.235 1 a MIN'],
  ['XREAD COUNT 1 BLOCK 5000 STREAMS block $', 5_000, 'XREAD COUNT 1 BLOCK 1235 STREAMS block $'],
  [
    'XREADGROUP GROUP BLOCK BLOCK block 9 STREAMS s >',
    9,
    'XREADGROUP GROUP BLOCK BLOCK block 1235 STREAMS s >',
  ],
  ['XREADGROUP GROUP g STREAMS BLOCK 9 STREAMS s >', 9, 'XREADGROUP GROUP g STREAMS BLOCK 1235 STREAMS s >'],
  ['XREADGROUP GROUP g BLOCK STREAMS s >', undefined, 'XREADGROUP GROUP g BLOCK STREAMS s >'],
  ['XREAD BLOCK 0 STREAMS s $', Infinity, 'XREAD BLOCK 0 STREAMS s $'],
  // Redis says what is wrong with it.
  ['BLPOP a soon', Infinity, 'BLPOP a soon'],
  ['BLPOP a -1', Infinity, 'BLPOP a -1'],
  ['XREAD STREAMS BLOCK 5', undefined, 'XREAD STREAMS BLOCK 5'],
  ['WAIT 1 100', undefined, 'WAIT 1 100'],
  ['MODULE.POP a 5', undefined, 'MODULE.POP a 5'],
];

for (const [command, limitMs, withLeft] of cases) {
  const how = limitMs === undefined ? 'does not wait for data' : `waits for at most ${limitMs} ms`;
  test(`"${command}" ${how}; with 1234.2 ms left it is "${withLeft}"`, () => {
    const message = messageOf(command);
    assert.equal(timeLimitMs(message), limitMs);
    const left = limitMs === Infinity ? Infinity : 1_234.2;
    assert.equal(String(withTimeLeft(message, left)), String(messageOf(withLeft)));
  });
}

test('what is over is asked for a millisecond: none would be for ever', () => {
  assert.equal(String(withTimeLeft(messageOf('BLPOP a 5'), -3)), String(messageOf('BLPOP a 0.001')));
  assert.equal(
    String(withTimeLeft(messageOf('XREAD BLOCK 5 STREAMS s $'), 0)),
    String(messageOf('XREAD BLOCK 1 STREAMS s $')),
  );
});
