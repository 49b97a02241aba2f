import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Input, type InputHandler } from '../../../src/proxy/client/input.ts';
import { clock } from '../../../src/proxy/wire/turn.ts';
import { expireUnfinished, noteFinished, noteUnfinished } from '../../../src/proxy/client/unfinished.ts';
import {
  INLINE,
  REQUEST_LIMITS,
  type FrameStatus,
  type RequestFrame,
} from '../../../src/redis/request-frame.ts';

const MAX_BYTES = 1_000;

/** Counts the commands, and how often one was too big. */
class Handler implements InputHandler {
  waitedSince = 0;
  commands = 0;
  refused = 0;

  get isStopped(): boolean {
    return this.refused > 0;
  }

  limits(): typeof REQUEST_LIMITS {
    return REQUEST_LIMITS;
  }

  dispatch(): void {
    this.commands += 1;
  }

  tooBig(): void {
    this.refused += 1;
  }

  unfinished(): void {
    this.refused += 1;
  }
}

/** A minute and more. */
const LATER = 61_000;

for (const [what, pieces, refused] of [
  ['half a command', ['*1\r\n$4\r\nPI'], 1],
  ['half a line', ['PI'], 1],
  ['a command and half of the next', ['PING\r\nPI'], 1],
  ['a command in two pieces', ['*1\r\n$4\r\nPI', 'NG\r\n'], 0],
  ['nothing', [], 0],
] as const) {
  test(`of who has sent ${what} ${refused === 0 ? 'more may come at any time' : 'the rest must come'}`, () => {
    const handler = new Handler();
    const input = new Input(handler, MAX_BYTES);
    for (const piece of pieces) input.feed(Buffer.from(piece), piece.length);
    expireUnfinished(performance.now() + LATER);
    assert.equal(handler.refused, refused);
  });
}

test('who goes on sending may take as long as it needs', () => {
  const handler = new Handler();
  const input = new Input(handler, MAX_BYTES);
  const begin = clock.now;
  try {
    for (const piece of ['*1\r\n', '$4\r\n', 'PI']) {
      input.feed(Buffer.from(piece), piece.length);
      clock.now += LATER / 2;
      expireUnfinished(clock.now);
    }
    assert.equal(handler.refused, 0);
  } finally {
    clock.now = begin;
    input.drop();
  }
});

test('what we do not look at for now is not its delay', () => {
  const stopped = { isStopped: true, refused: 0, unfinished: () => void (stopped.refused += 1) };
  noteUnfinished(stopped);
  expireUnfinished(performance.now() + LATER);
  noteFinished(stopped);
  assert.equal(stopped.refused, 0);
});

for (const [what, words, isTaken] of [
  ['within the maximum', 30, true],
  ['beyond the maximum', 300, false],
] as const) {
  test(`a command of many short words, ${what}, that comes little by little is ${isTaken ? 'taken' : 'refused once'}`, () => {
    const handler = new Handler();
    const input = new Input(handler, MAX_BYTES);
    const bytes = Buffer.from(`*${words}\r\n${'$3\r\nDEL\r\n'.repeat(words)}`);
    for (let at = 0; at < bytes.length && !handler.isStopped; at += 10) {
      const piece = bytes.subarray(at, at + 10);
      input.feed(piece, piece.length);
    }
    assert.deepEqual([handler.commands, handler.refused], isTaken ? [1, 0] : [0, 1]);
  });
}

test('what waits behind commands that each stop their client is moved a few times, not at each of them', () => {
  const COUNT = 1_000;
  const taken: string[] = [];
  const buffers = new Set<ArrayBufferLike>();
  const handler = {
    waitedSince: 0,
    isStopped: false,
    limits: () => REQUEST_LIMITS,
    dispatch: (bytes: Buffer, { offsets }: RequestFrame) => {
      taken.push(bytes.toString('latin1', offsets[0], offsets[1]));
      buffers.add(bytes.buffer);
      handler.isStopped = true;
    },
    tooBig: () => assert.fail(),
    unfinished: () => assert.fail(),
  };
  const input = new Input(handler, MAX_BYTES);
  const command = (index: number): Buffer => Buffer.from(`*1\r\n$5\r\n${10_000 + index}\r\n`);
  const [first, later] = [0, COUNT].map((from) =>
    Buffer.concat(Array.from({ length: COUNT }, (_, index) => command(from + index))),
  );
  input.feed(first!, first!.length);
  // In pieces, in the midst of a command too.
  for (let at = 0; input.length > 0 || at < later!.length; at += 23) {
    const piece = later!.subarray(at, at + 23);
    if (piece.length > 0) input.feed(piece, piece.length);
    handler.isStopped = false;
    input.proceed();
  }
  assert.deepEqual(
    taken,
    Array.from({ length: 2 * COUNT }, (_, index) => String(10_000 + index)),
  );
  assert.ok(buffers.size < COUNT / 10, `${buffers.size} places`);
});

/** Notes each command's first word, and since when it has waited; stops behind that one. */
function takerThatStopsBehind(last: string) {
  const taken: (readonly [word: string, waitedSince: number])[] = [];
  const handler = {
    waitedSince: 0,
    isStopped: false,
    limits: () => REQUEST_LIMITS,
    dispatch: (bytes: Buffer, { start, at, offsets }: RequestFrame, status: FrameStatus) => {
      const [from, to] = status === INLINE ? [start, at] : offsets;
      const word = bytes.toString('latin1', from, to);
      taken.push([word, handler.waitedSince]);
      handler.isStopped = word === last;
    },
    tooBig: () => assert.fail(),
    unfinished: () => assert.fail(),
  };
  const input = new Input(handler, MAX_BYTES);
  return { handler, input, taken, feed: (text: string) => input.feed(Buffer.from(text), text.length) };
}

const array = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

test('commands are the same wherever what comes is cut', () => {
  const all = `${array('A', 'x')}b\r\n${array('C')}${array('D', '', 'yy')}`;
  for (let one = 0; one <= all.length; one++) {
    for (let other = one; other <= all.length; other++) {
      const { feed, taken } = takerThatStopsBehind('');
      for (const piece of [all.slice(0, one), all.slice(one, other), all.slice(other)]) feed(piece);
      assert.deepEqual(
        taken.map(([word]) => word),
        ['A', 'b\r\n', 'C', 'D'],
        `${one}, ${other}`,
      );
    }
  }
});

test('half a command, more of which comes while its client is stopped, is not taken for a whole one', () => {
  const { handler, input, feed, taken } = takerThatStopsBehind('');
  feed('*1\r\n$4\r\nP');
  handler.isStopped = true;
  feed('I');
  handler.isStopped = false;
  input.proceed();
  assert.deepEqual(taken, []);
  feed('NG\r\n');
  assert.deepEqual(taken, [['PING', 0]]);
});

test('a command that has to wait has not waited for as long as what came before it', () => {
  const begin = clock.now;
  const { handler, input, feed, taken } = takerThatStopsBehind('A');
  try {
    clock.now = 1_000;
    feed(array('A') + array('B') + array('C', 'x').slice(0, -2));
    clock.now = 2_000;
    handler.isStopped = false;
    input.proceed();
    clock.now = 3_000;
    // It stops once more.
    feed(`\r\n${array('A')}${array('D')}`);
    clock.now = 4_000;
    handler.isStopped = false;
    input.proceed();
    assert.deepEqual(taken, [
      ['A', 0],
      ['B', 1_000],
      ['C', 0],
      ['A', 0],
      ['D', 3_000],
    ]);
  } finally {
    clock.now = begin;
  }
});
