import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Input, type InputHandler } from '../../src/proxy/input.ts';
import { REQUEST_LIMITS } from '../../src/redis/request-frame.ts';

const MAX_BYTES = 1_000;

/** Counts the commands, and how often one was too big. */
class Handler implements InputHandler {
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
}

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
