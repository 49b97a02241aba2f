import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Invalidations, INVALIDATE, type Change } from '../../../src/proxy/upstream/invalidations.ts';

/** What a client hears of a push with `keys`; null: whatever it has may have changed. */
async function heard(keys: string): Promise<readonly (readonly string[] | null)[]> {
  const invalidations = new Invalidations();
  const changes: Change[] = [];
  invalidations.add({ changed: (change) => void changes.push(change), untracked: () => {} });
  const bytes = Buffer.concat([INVALIDATE, Buffer.from(keys)]);
  invalidations.pushed(bytes, 0, bytes.length);
  await new Promise(setImmediate);
  return changes.map((change) => change.keys?.map(String) ?? null);
}

test('keys that have changed are told', async () => {
  assert.deepEqual(await heard('*2\r\n$1\r\na\r\n$3\r\nb\r\n\r\n'), [['a', 'b\r\n']]);
  assert.deepEqual(await heard('*0\r\n'), []);
  assert.deepEqual(await heard('_\r\n'), [null]);
});

for (const odd of [
  '*2\r\n:1\r\n:2\r\n',
  '*3\r\n$1\r\na\r\n$-1\r\n$1\r\nb\r\n',
  '*2\r\n*1\r\n$1\r\na\r\n_\r\n',
  '*1\r\n>1\r\n:1\r\n:2\r\n',
]) {
  test(`what no server says, ${JSON.stringify(odd)}, is that all may have changed`, async () => {
    assert.deepEqual(await heard(odd), [null]);
  });
}

test('what a server pushes otherwise is told to nobody', async () => {
  const invalidations = new Invalidations();
  invalidations.add({ changed: () => assert.fail(), untracked: () => assert.fail() });
  for (const push of [
    '>2\r\n$7\r\nmessage\r\n$1\r\na\r\n',
    '>2\r\n$10\r\ninvalidated\r\n*1\r\n$1\r\na\r\n',
  ]) {
    const bytes = Buffer.from(push);
    invalidations.pushed(bytes, 0, bytes.length);
  }
  await new Promise(setImmediate);
});
