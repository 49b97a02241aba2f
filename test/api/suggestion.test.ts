import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nearest } from '../../src/api/suggestion.ts';

const POLICIES = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const FIELDS = ['readPolicy', 'opTimeout', 'enableRedirection', 'auth'];

const cases: [word: string, candidates: readonly string[], meant: string | undefined][] = [
  ['REPLICAS', POLICIES, 'REPLICA'],
  ['replica', POLICIES, 'REPLICA'],
  ['prefer-replica', POLICIES, 'PREFER_REPLICA'],
  ['PreferMaster', POLICIES, 'PREFER_MASTER'],
  ['MASTRE', POLICIES, 'MASTER'],
  ['NAY', POLICIES, 'ANY'],
  ['ahtu', FIELDS, 'auth'],
  ['NEAREST', POLICIES, undefined],
  ['', POLICIES, undefined],
  ['readpolicy', FIELDS, 'readPolicy'],
  ['read_policy', FIELDS, 'readPolicy'],
  ['optimeout', FIELDS, 'opTimeout'],
  ['timeout', FIELDS, 'opTimeout'],
  ['enableRedirect', FIELDS, 'enableRedirection'],
  ['colour', FIELDS, undefined],
  ['anything', [], undefined],
];

for (const [word, candidates, meant] of cases) {
  test(`by "${word}" among ${candidates.length} names ${meant ?? 'none'} is meant`, () => {
    assert.equal(nearest(word, candidates), meant);
  });
}
