import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseDuration } from '../../src/api/duration.ts';

const cases: [text: string, expected: number | RegExp][] = [
  ['500ms', 500],
  ['1.5s', 1_500],
  ['1m30s', 90_000],
  ['1h0.5m', 3_630_000],
  ['0s', 0],
  ['0.4ms', 0],
  ['0.6ms', 1],
  ['596h', 2_145_600_000],
  ['5', /for example 5s$/],
  ['1.5', /for example 1\.5s$/],
  ['5 s', /^"5 s" is not a duration; write a number and a unit \(ms, s, m, h\), for example 500ms$/],
  ['-5s', /is not a duration/],
  ['5S', /is not a duration/],
  ['5us', /is not a duration/],
  ['s', /is not a duration/],
  ['5s5', /is not a duration/],
  ['.5s', /is not a duration/],
  ['', /is not a duration/],
  ['596h1ms', /is too long/],
  ['597h', /^"597h" is too long; write at most "596h"/],
];

for (const [text, expected] of cases) {
  const claim = typeof expected === 'number' ? `${expected} ms` : 'refused with its remedy';
  test(`the duration "${text}" is ${claim}`, () => {
    const { value, problem } = parseDuration(text);
    if (typeof expected === 'number')
      assert.deepEqual({ value, problem }, { value: expected, problem: undefined });
    else assert.match(problem ?? '', expected);
  });
}
