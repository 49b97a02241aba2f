/**
 * What a few changed files change, worked out from these alone, is what comes out when everything is gathered.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseFile } from '../../src/sources/files/documents.ts';
import { changeInPlace, differences, gather, keyOf, type FileState } from '../../src/sources/files/gather.ts';
import { randomFrom } from '../xds/model/runs.ts';
import { service } from './follow.ts';

const FILES = ['a.yaml', 'b.yaml', 'c.yaml'];
const NAMES = ['one', 'two', 'three', 'four'];

test('random edits of files: in place where nothing else can come of them, with the same changes', () => {
  const random = randomFrom(3);
  let files: ReadonlyMap<string, FileState> = new Map(
    FILES.map((file, index) => [file, parseFile(file, service(NAMES[index] ?? 'one', 'ANY'), undefined)]),
  );
  let { held, diagnostics } = gather(files, new Map());
  const inPlaceCounts = { changed: 0, comeOrGone: 0 };
  for (let round = 0; round < 600; round += 1) {
    const edited = FILES.filter(() => random(3) === 0);
    const next = new Map<string, FileState>();
    for (const [index, file] of FILES.entries()) {
      const before = files.get(file);
      if (!edited.includes(file)) {
        if (before !== undefined) next.set(file, before);
        continue;
      }
      if (random(8) === 0) continue;
      const documents = [service(NAMES[index] ?? 'one', random(2) === 0 ? 'ANY' : 'REPLICA')];
      // Another object, one that another file has too, one that is refused, or no YAML at all.
      const dice = random(12);
      if (dice === 0) documents.push(service('four', 'ANY'));
      if (dice === 1) documents.push(service(NAMES[random(4)] ?? 'one', 'ANY'));
      if (dice === 2) documents.push(service('four', 'SOMETIMES'));
      if (dice === 3) documents.push('a: [');
      next.set(file, parseFile(file, documents.join('---\n'), before));
    }
    const gathered = gather(next, held);
    const expected = differences(held, gathered.held);
    const kept = new Map(held);
    const changed = changeInPlace(
      kept,
      edited.map((file) => [file, files.get(file), next.get(file)]),
      diagnostics.length === 0,
    );
    if (changed !== undefined) {
      const isSameFiles = edited.every((file) => files.has(file) && next.has(file));
      inPlaceCounts[isSameFiles ? 'changed' : 'comeOrGone'] += 1;
      for (const kind of ['set', 'deleted'] as const)
        assert.deepEqual(changed[kind].map(keyOf).sort(), expected[kind].map(keyOf).sort(), `round ${round}`);
      assert.deepEqual(gathered.diagnostics, diagnostics);
      assert.deepEqual(kept, gathered.held);
    } else assert.deepEqual(kept, held);
    files = next;
    ({ held, diagnostics } = gathered);
  }
  assert.ok(inPlaceCounts.changed > 150 && inPlaceCounts.comeOrGone > 30, JSON.stringify(inPlaceCounts));
});
