import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jsonAsYaml } from '../../../src/sources/kubernetes/json-as-yaml.ts';

/** What go-yaml refuses within quotes, or reads as the end of a line: the spellings that are left say the same everywhere. */
const OTHERWISE = /[\u007f-\u009f\u2028\u2029\ufffe\uffff]|(?<!\\)(?:\\\\)*\\ud[89a-f]/;

test('every character is written so that YAML reads it as JSON does', () => {
  const all = Array.from({ length: 0x1_0000 }, (_, code) => String.fromCharCode(code))
    .filter((character) => Buffer.from(character).toString() === character)
    .join('');
  const value = { [all]: [all, '😀', '\\ud83d', '\\\\ud83d'] };
  assert.deepEqual(JSON.parse(jsonAsYaml(value)), value);
  assert.doesNotMatch(jsonAsYaml(value), OTHERWISE);
});

test('half a character is written as every other writer does', () => {
  assert.deepEqual(JSON.parse(jsonAsYaml(['a\ud83d', '\ude00b', '\\\ud83d\\ud83d'])), [
    'a\ufffd',
    '\ufffdb',
    '\\\ufffd\\ud83d',
  ]);
});
