import assert from 'node:assert/strict';
import { test } from 'node:test';

import { redacted } from '../../src/envoy/redaction.ts';

test('values of data sources are left out at any depth, and nothing else is', () => {
  const json = {
    name: 'inline_string',
    passwords: [{ inline_string: 'hunter2' }, { inline_bytes: 'aHVudGVyMg==' }, { filename: '/a' }],
    deep: [[{ auth: { inline_string: '' } }]],
    count: 0,
    none: null,
  };
  assert.deepEqual(redacted(json), {
    name: 'inline_string',
    passwords: [{ inline_string: '[redacted]' }, { inline_bytes: '[redacted]' }, { filename: '/a' }],
    deep: [[{ auth: { inline_string: '[redacted]' } }]],
    count: 0,
    none: null,
  });
});
