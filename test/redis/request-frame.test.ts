import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  BROKEN,
  COMPLETE,
  INCOMPLETE,
  INLINE,
  REQUEST_LIMITS,
  RequestFrame,
  STRANGER_LIMITS,
  frameOf,
  wordsOf,
} from '../../src/redis/request-frame.ts';

/** With all digits, and an argument without a byte. */
const COMMAND = Buffer.from(
  `*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n\r\n$3\r\n*1\r\n\0\0\r\n$0\r\n\r\n$49\r\n${'x'.repeat(49)}\r\n`,
);
const WORDS = ['SET', 'k', '\r\n$3\r\n*1\r\n\0\0', '', 'x'.repeat(49)];

function parsed(text: string, limits = REQUEST_LIMITS): RequestFrame & { readonly status: number } {
  const frame = new RequestFrame();
  frame.begin(0);
  const status = frame.parse(Buffer.from(text), text.length, limits);
  return Object.assign(frame, { status });
}

test('a command is found, with its arguments, wherever its bytes are cut', () => {
  for (let cut = 0; cut <= COMMAND.length; cut++) {
    const frame = new RequestFrame();
    frame.begin(0);
    const first = frame.parse(COMMAND, cut, REQUEST_LIMITS);
    assert.equal(first, cut < COMMAND.length ? INCOMPLETE : COMPLETE, `cut at ${cut}`);
    if (first === INCOMPLETE) {
      const missing = frame.missing(cut);
      assert.ok(missing > 0 && missing <= COMMAND.length - cut, `says that ${missing} are missing at ${cut}`);
      assert.equal(frame.parse(COMMAND, COMMAND.length, REQUEST_LIMITS), COMPLETE);
    }
    assert.deepEqual(wordsOf(COMMAND, frame), WORDS);
    assert.equal(frame.at, COMMAND.length);
  }
});

test('of an argument that has begun it is known how much is missing', () => {
  const begun = '*2\r\n$3\r\nGET\r\n$100\r\nabc';
  assert.equal(parsed(begun).missing(begun.length), 99);
});

test('a command is understood on after its bytes were moved', () => {
  const before = Buffer.concat([Buffer.from('xxxx'), COMMAND]);
  for (let cut = 4; cut < before.length; cut++) {
    const frame = new RequestFrame();
    frame.begin(4);
    assert.equal(frame.parse(before, cut, REQUEST_LIMITS), INCOMPLETE);
    frame.shift(4);
    assert.equal(frame.parse(COMMAND, COMMAND.length, REQUEST_LIMITS), COMPLETE);
    assert.equal(frame.start, 0);
    assert.deepEqual(wordsOf(COMMAND, frame), WORDS);
  }
});

test('a frame is one for the next command, wherever it has stopped in the one before', () => {
  for (let cut = 0; cut <= COMMAND.length; cut++) {
    const frame = new RequestFrame();
    frame.begin(0);
    frame.parse(COMMAND, cut, REQUEST_LIMITS);
    const next = Buffer.from('xx*1\r\n$4\r\nPING\r\n');
    frame.begin(2);
    assert.equal(frame.parse(next, next.length, REQUEST_LIMITS), COMPLETE);
    assert.equal(frame.start, 2);
    assert.deepEqual(wordsOf(next, frame), ['PING']);
  }
});

test('many arguments need more room than a frame begins with', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => String(index));
  const bytes = Buffer.from(`xx*1000\r\n${many.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}yy`);
  assert.deepEqual(wordsOf(bytes, frameOf(bytes, 2, bytes.length - 2)), many);
});

for (const text of ['*0\r\n', '*-1\r\n']) {
  test(`${JSON.stringify(text)} is a command without a word`, () => {
    const frame = parsed(text);
    assert.deepEqual([frame.status, frame.count, frame.at], [COMPLETE, 0, text.length]);
  });
}

const WRONG: [bytes: string, problem: string][] = [
  ['*2147483648\r\n', 'Protocol error: invalid multibulk length'],
  ['*abc\r\n', 'Protocol error: invalid multibulk length'],
  ['*01\r\n', 'Protocol error: invalid multibulk length'],
  ['*-0\r\n', 'Protocol error: invalid multibulk length'],
  ['*\r\n', 'Protocol error: invalid multibulk length'],
  ['*-\r\n', 'Protocol error: invalid multibulk length'],
  ['*1\rx', 'Protocol error: invalid multibulk length'],
  ['*1048577\r\n', 'Protocol error: invalid multibulk length'],
  [`*${'9'.repeat(70_000)}`, 'Protocol error: invalid multibulk length'],
  ['*1\r\n$536870889\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$-1\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$-0\r\n\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$abc\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n+PING\r\n', "Protocol error: expected '$', got '+'"],
  ['*1\r\n PING\r\n', "Protocol error: expected '$', got ' '"],
  ['*1\r\n\u001fPING\r\n', "Protocol error: expected '$', got '?'"],
  ['*1\r\n\u007fPING\r\n', "Protocol error: expected '$', got '?'"],
  ['*1\r\n$4\r\nPINGxx', 'Protocol error: invalid CRLF in request'],
  ['*1\r\n$4\r\nPING\rx', 'Protocol error: invalid CRLF in request'],
  ['*1\r\n$4\r\nPINGx\n', 'Protocol error: invalid CRLF in request'],
  ['x'.repeat(65_537), 'Protocol error: too big inline request'],
  [`${'x'.repeat(65_537)}\n`, 'Protocol error: too big inline request'],
];

for (const [text, problem] of WRONG) {
  test(`${JSON.stringify(text.slice(0, 30))} is refused as Redis refuses it`, () => {
    const frame = parsed(text);
    assert.deepEqual([frame.status, frame.problem], [BROKEN, problem]);
  });
}

const STRANGE: [bytes: string, problem: string][] = [
  ['*11\r\n', 'Protocol error: unauthenticated multibulk length'],
  ['*1\r\n$16385\r\n', 'Protocol error: unauthenticated bulk length'],
];

for (const [text, problem] of STRANGE) {
  test(`${JSON.stringify(text)} is refused before authentication`, () => {
    const frame = parsed(text, STRANGER_LIMITS);
    assert.deepEqual([frame.status, frame.problem], [BROKEN, problem]);
  });
}

for (const [text, limits] of [
  ['*1048576\r\n', REQUEST_LIMITS],
  ['*1\r\n$536870888\r\n', REQUEST_LIMITS],
  ['*10\r\n', STRANGER_LIMITS],
  ['*1\r\n$16384\r\n', STRANGER_LIMITS],
  ['x'.repeat(65_536), REQUEST_LIMITS],
] as const) {
  test(`${JSON.stringify(text.slice(0, 30))} is not too much for ${limits.arguments} arguments`, () => {
    assert.equal(parsed(text, limits).status, INCOMPLETE);
  });
}

test('a line without a star is an inline command, once it is complete', () => {
  const line = Buffer.from(`${'x'.repeat(65_536)}\nPING hello\nGET`);
  const frame = new RequestFrame();
  frame.begin(0);
  assert.equal(frame.parse(line, line.length, REQUEST_LIMITS), INLINE);
  const begin = frame.at;
  assert.equal(begin, 65_537);
  assert.deepEqual([parsed('\n').status, parsed('\n').at], [INLINE, 1]);
  frame.begin(begin);
  assert.equal(frame.parse(line, begin + 10, REQUEST_LIMITS), INCOMPLETE);
  assert.equal(frame.parse(line, line.length, REQUEST_LIMITS), INLINE);
  assert.equal(frame.at, begin + 11);
});
