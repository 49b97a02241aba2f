import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mayBeAbsence } from '../../src/redis/absence.ts';

const CASES: readonly (readonly [what: string, reply: string, isDoubtful: boolean])[] = [
  ['GET of nothing', '$-1\r\n', true],
  ['GET of nothing in RESP3', '_\r\n', true],
  ['GET', '$3\r\nabc\r\n', false],
  ['GETRANGE of nothing', '$0\r\n\r\n', true],
  ['EXISTS of nothing', ':0\r\n', true],
  ['LLEN', ':10\r\n', false],
  ['TTL of nothing', ':-2\r\n', true],
  ['TTL of what stays', ':-1\r\n', false],
  ['TYPE of nothing', '+none\r\n', true],
  ['TYPE', '+string\r\n', false],
  ['HGETALL of nothing', '*0\r\n', true],
  ['HGETALL of nothing in RESP3', '%0\r\n', true],
  ['SMEMBERS of nothing in RESP3', '~0\r\n', true],
  ['XREAD without news', '*-1\r\n', true],
  ['MGET of which one is missing', '*2\r\n$1\r\na\r\n$-1\r\n', true],
  ['MGET of which one is missing in RESP3', '*2\r\n$1\r\na\r\n_\r\n', true],
  ['MGET', '*2\r\n$1\r\na\r\n$1\r\nb\r\n', false],
  ['MGET of texts that look like it', '*3\r\n$5\r\n\r\n$-1\r\n$1\r\n_\r\n$4\r\n\r\n:0\r\n', false],
  ['MGET of which the last is missing, behind a text that looks like it', '*2\r\n$1\r\n_\r\n$-1\r\n', true],
  ['HSCAN with a verbatim text', '*3\r\n=5\r\ntxt:_\r\n,1.5\r\n#t\r\n', false],
  ['XINFO with something missing within', '*1\r\n%1\r\n+pel\r\n*1\r\n:0\r\n', true],
  ['SMISMEMBER of nothing', '*2\r\n:0\r\n:0\r\n', true],
  ['XINFO of nothing', '-ERR no such key\r\n', true],
  ['another error', '-WRONGTYPE Operation against a key\r\n', false],
  ['ZSCORE in RESP3', ',1.5\r\n', false],
];

for (const [what, reply, isDoubtful] of CASES) {
  test(`${what}: ${isDoubtful ? 'the key may be missing' : 'the key is there'}`, () => {
    const bytes = Buffer.from(`+before\r\n${reply}+behind\r\n`);
    assert.equal(mayBeAbsence(bytes, 9, 9 + reply.length), isDoubtful);
  });
}
