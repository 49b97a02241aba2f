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
} from '../../src/redis/request-frame.ts';

function words(bytes: Buffer, frame: RequestFrame): string[] {
  return Array.from({ length: frame.count }, (_, index) =>
    bytes.toString('latin1', frame.offsets[2 * index], frame.offsets[2 * index + 1]),
  );
}

const COMMAND = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n\r\n$3\r\n*1\r\n\0\0\r\n');

test('a command is found, with its arguments, wherever its bytes are cut', () => {
  for (let cut = 0; cut <= COMMAND.length; cut++) {
    const frame = new RequestFrame();
    frame.begin(0);
    const first = frame.parse(COMMAND, cut, REQUEST_LIMITS);
    assert.equal(first, cut < COMMAND.length ? INCOMPLETE : COMPLETE, `cut at ${cut}`);
    if (first === INCOMPLETE) {
      assert.ok(frame.missing(cut) <= COMMAND.length - cut, `says that more is missing than is at ${cut}`);
      assert.equal(frame.parse(COMMAND, COMMAND.length, REQUEST_LIMITS), COMPLETE);
    }
    assert.deepEqual(words(COMMAND, frame), ['SET', 'k', '\r\n$3\r\n*1\r\n\0\0']);
    assert.equal(frame.at, COMMAND.length);
  }
});

test('a command is understood on after its bytes were moved', () => {
  const frame = new RequestFrame();
  const before = Buffer.concat([Buffer.from('xxxx'), COMMAND]);
  frame.begin(4);
  assert.equal(frame.parse(before, 24, REQUEST_LIMITS), INCOMPLETE);
  frame.shift(4);
  assert.equal(frame.parse(COMMAND, COMMAND.length, REQUEST_LIMITS), COMPLETE);
  assert.deepEqual(words(COMMAND, frame).slice(0, 2), ['SET', 'k']);
});

test('many arguments need more room than a frame begins with', () => {
  const count = 1_000;
  const bytes = Buffer.from(`*${count}\r\n${'$1\r\nx\r\n'.repeat(count)}`);
  const frame = new RequestFrame();
  frame.begin(0);
  assert.equal(frame.parse(bytes, bytes.length, REQUEST_LIMITS), COMPLETE);
  assert.equal(frame.count, count);
});

for (const text of ['*0\r\n', '*-1\r\n']) {
  test(`${JSON.stringify(text)} is a command without a word`, () => {
    const frame = new RequestFrame();
    frame.begin(0);
    assert.equal(frame.parse(Buffer.from(text), text.length, REQUEST_LIMITS), COMPLETE);
    assert.equal(frame.count, 0);
  });
}

const WRONG: [bytes: string, problem: string][] = [
  ['*2147483648\r\n', 'Protocol error: invalid multibulk length'],
  ['*abc\r\n', 'Protocol error: invalid multibulk length'],
  ['*01\r\n', 'Protocol error: invalid multibulk length'],
  ['*-0\r\n', 'Protocol error: invalid multibulk length'],
  [`*${'9'.repeat(70_000)}`, 'Protocol error: invalid multibulk length'],
  ['*1\r\n$536870913\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$-1\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$-0\r\n\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n$abc\r\n', 'Protocol error: invalid bulk length'],
  ['*1\r\n+PING\r\n', "Protocol error: expected '$', got '+'"],
  ['*1\r\n$4\r\nPINGxx', 'Protocol error: invalid CRLF in request'],
  ['x'.repeat(70_000), 'Protocol error: too big inline request'],
];

for (const [text, problem] of WRONG) {
  test(`${JSON.stringify(text.slice(0, 30))} is refused as Redis refuses it`, () => {
    const frame = new RequestFrame();
    frame.begin(0);
    assert.equal(frame.parse(Buffer.from(text), text.length, REQUEST_LIMITS), BROKEN);
    assert.equal(frame.problem, problem);
  });
}

const STRANGE: [bytes: string, problem: string][] = [
  ['*11\r\n', 'Protocol error: unauthenticated multibulk length'],
  ['*1\r\n$16385\r\n', 'Protocol error: unauthenticated bulk length'],
];

for (const [text, problem] of STRANGE) {
  test(`${JSON.stringify(text)} is refused before authentication`, () => {
    const frame = new RequestFrame();
    frame.begin(0);
    assert.equal(frame.parse(Buffer.from(text), text.length, STRANGER_LIMITS), BROKEN);
    assert.equal(frame.problem, problem);
  });
}

test('a line without a star is an inline command, once it is complete', () => {
  const line = Buffer.from('PING hello\nGET');
  const frame = new RequestFrame();
  frame.begin(0);
  assert.equal(frame.parse(line, 10, REQUEST_LIMITS), INCOMPLETE);
  assert.equal(frame.parse(line, line.length, REQUEST_LIMITS), INLINE);
  assert.equal(frame.at, 11);
});
