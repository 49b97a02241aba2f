import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { isOlder, KNOWN_SINCE } from '../../src/envoy/envoy-version.ts';
import { needEnvoy, needOldestEnvoy } from '../e2e/environment.ts';
import { readDescriptors } from './binary-descriptors.ts';
import { ourEnums, ourMessages } from './our-descriptors.ts';

const cases: [version: string | undefined, than: string, expected: boolean][] = [
  ['1.36.4', '1.38', true],
  ['1.38.0', '1.38', false],
  ['1.38.3', '1.38', false],
  ['1.40.0', '1.38', false],
  ['1.9.0', '1.38', true],
  ['0.99.0', '1.38', true],
  ['2.0.0', '1.38', false],
  [undefined, '1.38', false],
];

for (const [version, than, expected] of cases) {
  test(`Envoy ${version ?? 'of a version unsaid'} is ${expected ? '' : 'not '}older than ${than}`, () => {
    assert.equal(isOlder(version, than), expected);
  });
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What our messages can say and that Envoy lacks, by full name. */
function unknownTo(envoy: string): readonly string[] {
  const files = globSync('**/*.proto', { cwd: `${root}protos` });
  const { messages, enums } = readDescriptors(envoy, files);
  const names: string[] = [];
  for (const [name, { field }] of ourMessages) {
    const theirs = new Set(messages.get(name)?.map((known) => known.name));
    // Entries of maps, which the loader names otherwise, have always been there.
    if (!messages.has(name)) continue;
    names.push(...field.filter((ours) => !theirs.has(ours.name)).map((ours) => `${name}.${ours.name}`));
  }
  for (const [name, { value }] of ourEnums) {
    const theirs = enums.get(name);
    if (theirs === undefined) continue;
    names.push(...value.filter((ours) => !theirs.has(ours.name)).map((ours) => `${name}.${ours.name}`));
  }
  return names.toSorted();
}

test('the list of what is new names all of it, and nothing that the oldest Envoy knows', async (t) => {
  const envoy = await needOldestEnvoy(t);
  if (envoy !== undefined) assert.deepEqual(unknownTo(envoy), Object.keys(KNOWN_SINCE).toSorted());
});

test('the newest Envoy knows all of it', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy !== undefined) assert.deepEqual(unknownTo(envoy), []);
});
