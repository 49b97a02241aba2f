import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { needEnvoy } from '../e2e/environment.ts';
import { readDescriptors, type OfficialField } from './binary-descriptors.ts';
import { ourEnums, ourMessages } from './our-descriptors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** FieldDescriptorProto's names, by number. */
const TYPES: Readonly<Record<string, number>> = {
  TYPE_DOUBLE: 1,
  TYPE_INT32: 5,
  TYPE_BOOL: 8,
  TYPE_STRING: 9,
  TYPE_MESSAGE: 11,
  TYPE_BYTES: 12,
  TYPE_UINT32: 13,
  TYPE_ENUM: 14,
};
const LABELS: Readonly<Record<string, number>> = { LABEL_OPTIONAL: 1, LABEL_REPEATED: 3 };

test("every field of our protos has the official number, type, label and oneof of Envoy's own descriptors", async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const files = globSync('**/*.proto', { cwd: `${root}protos` });
  const official = readDescriptors(envoy, files);
  let compared = 0;
  for (const [name, { field, oneofDecl }] of ourMessages) {
    const theirs = official.messages.get(name) ?? findMapEntry(name, official.messages);
    assert.ok(theirs, `Envoy has no message ${name}`);
    for (const ours of field) {
      const place = `${name}.${ours.name}`;
      const found: OfficialField | undefined = theirs.find((candidate) => candidate.name === ours.name);
      assert.ok(found, `Envoy has no field ${place}`);
      assert.equal(ours.number, found.number, `number of ${place}`);
      assert.equal(TYPES[ours.type], found.type, `type of ${place}: ${ours.type}`);
      assert.equal(LABELS[ours.label], found.label, `label of ${place}`);
      if (ours.typeName !== '') {
        const typeName = plain(`.${ours.typeName.replace(/^\./, '')}`);
        const same = [typeName, `${typeName}entry`].some((ending) => plain(found.typeName).endsWith(ending));
        assert.ok(same, `${place} is ${found.typeName} there`);
      }
      if (found.oneof !== undefined)
        assert.equal(oneofDecl[ours.oneofIndex]?.name, found.oneof, `oneof of ${place}`);
      compared += 1;
    }
  }
  for (const [name, { value }] of ourEnums) {
    const theirs = official.enums.get(name);
    assert.ok(theirs, `Envoy has no enum ${name}`);
    for (const ours of value) assert.equal(ours.number, theirs.get(ours.name), `${name}.${ours.name}`);
  }
  t.diagnostic(`${compared} fields of ${ourMessages.size} messages, ${ourEnums.size} enums`);
  assert.ok(compared > 150);
});

/** The compiler names the entries of a map FooBarEntry, the loader Foo_bar. */
function plain(typeName: string): string {
  return typeName.replaceAll('_', '').toLowerCase();
}

function findMapEntry<T>(name: string, messages: ReadonlyMap<string, T>): T | undefined {
  return [...messages].find(([theirs]) => plain(theirs) === `${plain(name)}entry`)?.[1];
}

test('the generated types are those of the protos as they are', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-types-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync(process.execPath, [`${root}tooling/types.ts`, folder]);
  const committed = `${root}src/envoy/protos`;
  const list = (where: string): string[] => globSync('**/*.ts', { cwd: where }).toSorted();
  assert.deepEqual(list(folder), list(committed));
  for (const file of list(folder)) {
    assert.equal(readFileSync(join(folder, file), 'utf8'), readFileSync(join(committed, file), 'utf8'), file);
  }
});
