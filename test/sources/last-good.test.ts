import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { Followed, service } from './follow.ts';

test('a broken edit keeps the last good object and says where the mistake is', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
  );
  writeFileSync(followed.path('a.yaml'), service('a', 'REPLICAS'));
  await followed.becomes('a Diagnostic', () => followed.reasons().includes('LastGoodKept'));
  assert.equal(followed.policy('a'), 'MASTER');
  const mistake = followed.diagnostics.find(({ reason }) => reason === 'InvalidValue');
  assert.deepEqual(mistake?.position, { file: followed.path('a.yaml'), line: 9, column: 5 });

  writeFileSync(followed.path('a.yaml'), service('a', 'ANY'));
  await followed.becomes('the mended policy', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
});

test('a file that is no YAML any more keeps all that it held; its other documents may still change', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/two.yaml`, `${service('a', 'MASTER')}---\n${service('b', 'MASTER')}`),
  );
  writeFileSync(followed.path('two.yaml'), `${service('a', 'ANY')}---\nkind: [`);
  await followed.becomes('the change of the good one', () => followed.policy('a') === 'ANY');
  assert.equal(followed.policy('b'), 'MASTER');
  assert.deepEqual(followed.reasons().toSorted(), ['LastGoodKept', 'SyntaxError']);
});

test('an object that was never good is not there, and does not keep the others out', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/a.yaml`, service('a', 'NOWHERE'));
    writeFileSync(`${folder}/b.yaml`, service('b', 'ANY'));
  });
  assert.equal(followed.object('a'), undefined);
  assert.equal(followed.policy('b'), 'ANY');
});

test('of two objects of one name the later file is told of the first, and takes over when that goes', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/1.yaml`, service('a', 'MASTER'));
    writeFileSync(`${folder}/2.yaml`, service('a', 'ANY'));
  });
  assert.equal(followed.policy('a'), 'MASTER');
  assert.match(followed.diagnostics[0]?.message ?? '', /already there in .*1\.yaml:1/);
  rmSync(followed.path('1.yaml'));
  await followed.becomes('the second', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
});

const mistakes: [what: string, text: string][] = [
  ['a wrong value', service('a', 'NOWHERE')],
  ['a text that is no YAML', 'kind: ['],
  ['an alias without an anchor', service('a', '*policy')],
  ['a merge of what is no map', `${service('a', 'ANY')}<<: text\n`],
];

for (const [what, text] of mistakes) {
  test(`${what} in the first of two objects of one name does not bring the second into force`, async (t) => {
    const followed = await Followed.start(t, (folder) => {
      writeFileSync(`${folder}/1.yaml`, service('a', 'MASTER'));
      writeFileSync(`${folder}/2.yaml`, service('a', 'ANY'));
    });
    writeFileSync(followed.path('1.yaml'), text);
    await followed.becomes('a Diagnostic', () => followed.reasons().includes('LastGoodKept'));
    assert.equal(followed.policy('a'), 'MASTER');
    assert.ok(followed.reasons().includes('Duplicate'));
    const kept = followed.diagnostics.find(({ reason }) => reason === 'LastGoodKept');
    assert.equal(kept?.position?.file, followed.path('1.yaml'));
  });

  test(`${what} in one file does not keep another from being followed`, async (t) => {
    const followed = await Followed.start(t, (folder) => {
      writeFileSync(`${folder}/1.yaml`, text);
      writeFileSync(`${folder}/2.yaml`, service('b', 'MASTER'));
    });
    assert.equal(followed.policy('b'), 'MASTER');
    writeFileSync(followed.path('2.yaml'), service('b', 'ANY'));
    await followed.becomes('the edit', () => followed.policy('b') === 'ANY');
  });
}

test('an object that moves to another file with a mistake stays as it was', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/1.yaml`, service('a', 'ANY')),
  );
  writeFileSync(followed.path('2.yaml'), service('a', 'NOWHERE'));
  rmSync(followed.path('1.yaml'));
  await followed.becomes('a Diagnostic', () => followed.reasons().includes('LastGoodKept'));
  assert.equal(followed.policy('a'), 'ANY');
});
