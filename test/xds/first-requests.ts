/** What a new stream says to its first request, in rows: both variants are asked in the same manner. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Variant } from '../../src/xds/requests.ts';
import { type ShortType, Talk, type Words } from './talk.ts';

export type FirstRequest = readonly [
  says: string,
  type: ShortType,
  words: Words,
  expected: readonly string[],
];

export function testFirstRequests(variant: Variant, rows: readonly FirstRequest[]): void {
  for (const [says, type, words, expected] of rows) {
    test(`${variant}, first request: ${says}`, () => {
      const talk = new Talk(variant, { snapshot: { CDS: 'a@1 b@1', EDS: 'a@1 b@1', LDS: 'l@1' } });
      assert.deepEqual(talk.ask(type, words), expected);
      assert.deepEqual(talk.said(), []);
    });
  }
}
