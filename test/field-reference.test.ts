import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { MEANINGS, askedFields, fieldReference } from '../tooling/field-reference.ts';

for (const kind of ['RedisService', 'RedisDestination'] as const) {
  test(`every field of a ${kind} that is read has its meaning, and no other has one`, () => {
    assert.deepEqual(Object.keys(MEANINGS[kind]).toSorted(), [...askedFields(kind).keys()].toSorted());
  });
}

test('docs/fields.md is made from the parsers as they are (npm run fields writes it anew)', () => {
  const file = fileURLToPath(new URL('../docs/fields.md', import.meta.url));
  assert.equal(readFileSync(file, 'utf8'), fieldReference());
});
