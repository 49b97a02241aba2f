import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  MergedReply,
  allTrue,
  concatenate,
  interleaved,
  least,
  same,
  sum,
  sums,
  union,
  type Gathered,
  type Merge,
} from '../../../src/proxy/wire/merged-reply.ts';
import { longestReply } from '../../../src/proxy/wire/partial-reply.ts';
import { handOn } from '../../../src/proxy/wire/reply-sink.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';

const MISFITS = undefined;

const CASES: readonly (readonly [
  what: string,
  merge: Merge,
  replies: readonly string[],
  merged: string | undefined,
])[] = [
  ['the first', same, ['+OK', '+QUEUED'], '+OK'],
  ['the sum', sum, [':2', ':0', ':40'], ':42'],
  ['the sum', sum, [':2', '+40'], MISFITS],
  ['the sum', sum, [':', ':x'], MISFITS],
  ['the least', least, [':3', ':1', ':2'], ':1'],
  ['the least', least, [':3', '$-1'], MISFITS],
  ['the least of each', least, ['*2|:3|:1', '*2|:2|:4'], '*2|:2|:1'],
  ['the least of each', least, ['*2|:3|:1', '*1|:2'], MISFITS],
  ['the least of each', least, ['*1|:3', '*2|:2|:1'], MISFITS],
  ['the least of each', least, ['*2|:3|:1', ':2'], MISFITS],
  ['the sum of each', sums, ['*4|$1|a|:1|$1|b|:0', '*4|$1|a|:2|$1|b|:5'], '*4|$1|a|:3|$1|b|:5'],
  ['the sum of each', sums, ['*0', '*0'], '*0'],
  ['the sum of each', sums, ['*2|$1|a|:1', '*2|$1|a|+x'], MISFITS],
  ['the sum of each', sums, ['*2|$1|a|:1', '*-1'], MISFITS],
  ['the sum of each', sums, ['$-1', '*0'], MISFITS],
  ['what all say is true', allTrue, ['*3|:1|:1|:0', '*3|:1|:0|:0'], '*3|:1|:0|:0'],
  ['what several have', union, ['*2|$1|a|$2|bc', '*0', '*2|$2|bc|$1|d'], '*3|$1|a|$2|bc|$1|d'],
  ['what several have', union, ['*1|$1|a', '_'], MISFITS],
  [
    'one behind the other',
    concatenate,
    ['*2|$1|a|*1|:1', '*0', '*10' + '|_'.repeat(10)],
    '*12|$1|a|*1|:1' + '|_'.repeat(10),
  ],
  ['one behind the other', concatenate, ['*1|$1|a', '*-1'], MISFITS],
  ['one behind the other', concatenate, ['*1|$1|a', '%0'], MISFITS],
  [
    'in their places',
    interleaved([
      [0, 3],
      [2, 1],
    ]),
    ['*2|$-1|$2|d*', '*2|$1|c|_'],
    '*4|$-1|_|$1|c|$2|d*',
  ],
  ['in their places', interleaved([[0], [1]]), ['*1|$1|a', '*2|$1|b|$1|c'], MISFITS],
  ['in their places', interleaved([[0], [1]]), ['*1|$1|a', '$1|b'], MISFITS],
];

const wire = (text: string): Buffer => Buffer.from(`${text.replaceAll('|', '\r\n')}\r\n`, 'latin1');

for (const [what, merge, replies, merged] of CASES) {
  test(`${what} of ${replies.join('  ')} is ${merged ?? 'nothing that Redis answers'}`, () => {
    assert.equal(merge(replies.map(wire))?.toString('latin1'), merged && wire(merged).toString('latin1'));
  });
}

interface Scene {
  readonly got: readonly string[];
  readonly erred: readonly string[];
  readonly reply: (index: number, text: string) => void;
}

function setUp(how: Gathered, parts: number): Scene {
  const [got, erred]: [string[], string[]] = [[], []];
  const told = (to: string[]) => (_: unknown, bytes: Uint8Array, start: number, end: number) =>
    void to.push(Buffer.from(bytes.subarray(start, end)).toString('latin1').trimEnd());
  const request = takeRequest();
  request.sink = { deliver: told(got), erred: told(erred) };
  const merged = new MergedReply(request, how, parts);
  const reply = (index: number, text: string): void => {
    const bytes = Buffer.concat([Buffer.from('before'), wire(text), Buffer.from('behind')]);
    handOn(merged.sinkFor(index), takeRequest(), bytes, 6, bytes.length - 6);
    // What comes next is read into the same memory.
    bytes.fill(0);
  };
  return { got, erred, reply };
}

test('the replies to all parts are merged in their order, whichever comes last', () => {
  const { got, reply } = setUp({ merge: concatenate }, 3);
  reply(2, '*1|:3');
  reply(0, '*1|:1');
  assert.deepEqual(got, []);
  reply(1, '*1|:2');
  assert.deepEqual(got, [wire('*3|:1|:2|:3').toString().trimEnd()]);
});

test('the reply to the only part is what its server says', () => {
  const { got, reply } = setUp({ merge: sum }, 1);
  reply(0, '+not a number');
  assert.deepEqual(got, ['+not a number']);
});

test('of replies that do not fit nobody is told a part', () => {
  const { got, erred, reply } = setUp({ merge: sum }, 2);
  reply(0, ':1');
  reply(1, '+OK');
  assert.match(got.join(), /^-upstream failure: .* one did not answer as Redis does$/);
  assert.deepEqual(erred, got);
});

test('the first part that fails says so for all, once all have answered', () => {
  const { got, erred, reply } = setUp({ merge: sum }, 3);
  reply(2, '-ERR third');
  reply(1, '-ERR second');
  assert.deepEqual(got, []);
  reply(0, ':1');
  assert.deepEqual([got, erred], [['-ERR second'], ['-ERR second']]);
});

const ENOUGH: Gathered = { merge: same, oneIsEnough: true, saysLeast: '-NOTBUSY' };

test('where one that succeeds is enough, it answers at once, and the others no more', () => {
  const { got, reply } = setUp(ENOUGH, 3);
  reply(1, '-NOTBUSY none');
  reply(2, '+OK');
  assert.deepEqual(got, ['+OK']);
  reply(0, '+OK');
  assert.deepEqual(got, ['+OK']);
});

for (const [replies, said] of [
  [['-NOTBUSY none', '-UNKILLABLE writes', '-NOTBUSY none'], '-UNKILLABLE writes'],
  [['-NOTBUSY first', '-NOTBUSY second', '-NOTBUSY third'], '-NOTBUSY first'],
] as const) {
  test(`of ${replies.join(', ')} it is ${said} that is said`, () => {
    const { got, reply } = setUp(ENOUGH, 3);
    for (const [index, each] of replies.entries()) reply(index, each);
    assert.deepEqual(got, [said]);
  });
}

test('parts that are too long together are an error', (t) => {
  const { bytes } = longestReply;
  t.after(() => void (longestReply.bytes = bytes));
  longestReply.bytes = 2 * wire('*1|$1|a').length;
  const [fits, doesNot] = [setUp({ merge: concatenate }, 2), setUp({ merge: concatenate }, 3)];
  for (const index of [0, 1]) fits.reply(index, '*1|$1|a');
  assert.match(fits.got.join(), /^\*2\r\n/);
  for (const index of [0, 1, 2]) doesNot.reply(index, '*1|$1|a');
  assert.match(doesNot.got.join(), /^-upstream failure: a reply of more than 1 GiB$/);
});
