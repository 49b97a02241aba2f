import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Input, type InputHandler } from '../../../src/proxy/client/input.ts';
import { clock } from '../../../src/proxy/wire/turn.ts';
import { expireUnfinished, noteFinished, noteUnfinished } from '../../../src/proxy/client/unfinished.ts';
import { REQUEST_LIMITS, type RequestFrame } from '../../../src/redis/request-frame.ts';

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
