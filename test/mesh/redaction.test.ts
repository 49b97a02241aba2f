import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Redaction } from '../../src/mesh/redaction.ts';

/** As each may stand in an answer; written out, since it is others who write them. */
const QUOTED: readonly (readonly [what: string, password: string, quoted: string])[] = [
  ['as it is', 'a<b', 'a<b'],
  ['in JSON', 'a"b\\c', 'a\\"b\\\\c'],
  ['in JSON of Go', '<a>&"', '\\u003ca\\u003e\\u0026\\"'],
  ['in JSON of Go, with control characters', 'a\b\fb', 'a\\u0008\\u000cb'],
  ['in JSON of Go, with a line separator', 'a\u2028b', 'a\\u2028b'],
  ['in JSON, quoted once more', 'a"b', 'a\\\\\\"b'],
  ['in JSON of Go, quoted once more', 'a<b', 'a\\\\u003cb'],
  ['in JSON, quoted once more by Go', '"<', '\\\\\\"\\u003c'],
  ['over two lines', 'a\nb', 'a\nb'],
];

for (const [what, password, quoted] of QUOTED) {
  test(`a password is taken out that stands there ${what}`, () => {
    const redaction = new Redaction();
    redaction.note(password);
    assert.equal(redaction.redact(`no: "${quoted}".`), 'no: "[redacted]".');
  });
}

test('nothing is left of a password that begins with another', () => {
  const redaction = new Redaction();
  for (const password of ['sesame', 'sesame-2']) redaction.note(password);
  assert.equal(redaction.redact('sesame-2 sesame'), '[redacted] [redacted]');
});

test('an empty password takes nothing out', () => {
  const redaction = new Redaction();
  redaction.note('');
  assert.equal(redaction.redact('ab'), 'ab');
});
