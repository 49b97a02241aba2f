import assert from 'node:assert/strict';
import { test } from 'node:test';

import { aServer, copied } from './mirrored.ts';

test('what has waited is copied as what it did, in the order of the client', async (t) => {
  const asked = ['RPUSH k v', 'BLPOP j k 0', 'SET j 1'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  assert.deepEqual(copies, [['RPUSH k v', 'LPOP k', 'SET j 1']]);
});

test('what has waited for nothing is not copied', async (t) => {
  const { copies } = await copied(t, await aServer(t), ['BRPOPLPUSH a b 1'], { isOfCluster: false });
  assert.deepEqual(copies, [[]]);
});

test('what may wait is copied with its transaction, without waiting', async (t) => {
  const asked = ['MULTI', 'BLPOP k 0', 'XREAD BLOCK 0 STREAMS k 0', 'EXEC'];
  const { copies } = await copied(t, await aServer(t), asked, { isOfCluster: false });
  assert.deepEqual(copies, [['LPOP k', 'XREAD STREAMS k 0']]);
});
