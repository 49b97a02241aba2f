import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allCommands, commandByName, findCommand } from '../../src/redis/command-table.ts';
import { keyArguments } from '../../src/redis/keys.ts';

const CASES: [command: string, keys: string][] = [
  ['GET a', 'a'],
  ['MGET a b c', 'a b c'],
  ['MSET a 1 b 2', 'a b'],
  ['RENAME a b', 'a b'],
  ['BITOP AND d a b', 'd a b'],
  ['EVAL script 2 a b x', 'a b'],
  ['EVAL script 0 x', ''],
  ['EVAL script 5 a', 'a'],
  ['EVAL script 3 a b', 'a'],
  ['EVAL script x a b', ''],
  ['ZUNIONSTORE d 3 a b', 'd'],
  ['ZUNIONSTORE d 2 a b WEIGHTS 1 2', 'd a b'],
  ['ZINTER 2 a b WITHSCORES', 'a b'],
  ['XREAD COUNT 2 STREAMS a b 0 0', 'a b'],
  ['XREADGROUP GROUP g c STREAMS a >', 'a'],
  ['BLPOP a b 1', 'a b'],
  ['BLMPOP 1 2 a b LEFT', 'a b'],
  ['OBJECT ENCODING a', 'a'],
  ['OBJECT HELP', ''],
  ['XGROUP CREATE a g 0', 'a'],
  ['GEORADIUS a 1 2 3 m STORE b', 'a b'],
  ['SORT a BY w_*', 'a'],
  ['SORT a LIMIT 0 1 store b', 'a b'],
  ['LCS a b', 'a b'],
  ['SSUBSCRIBE a b', 'a b'],
  ['PING', ''],
];

for (const [text, keys] of CASES) {
  test(`the keys of ${text} are "${keys}"`, () => {
    const words = text.split(' ');
    const specs = commandByName(words[0] ?? '')?.keys ?? [];
    const found = keyArguments(specs, words.length, (index) => words[index] ?? '');
    assert.equal(found.map((index) => words[index]).join(' '), keys);
  });
}

test('every command of the table is found, in upper and lower case', () => {
  for (const { name } of allCommands()) {
    for (const spelled of [name, name.toUpperCase()]) {
      assert.equal(findCommand(Buffer.from(spelled), 0, spelled.length)?.name, name);
    }
  }
});

test('a name is found in any case, and nothing else is', () => {
  for (const name of ['get', 'GET', 'gEt', 'ZREVRANGEBYSCORE', 'restore-asking']) {
    const bytes = Buffer.from(`-${name}-`);
    assert.equal(findCommand(bytes, 1, 1 + name.length)?.name, name.toLowerCase());
  }
  for (const name of ['', 'ge', 'gett', 'nosuch', '\0\0\0']) {
    const bytes = Buffer.from(name);
    assert.equal(findCommand(bytes, 0, bytes.length), undefined);
  }
});
