/**
 * A few seeds of what `npm run soak -- chaos` does for as long as one likes: clients, and a cluster to which everything
 * happens that a seed decides.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { runSeed } from './chaos/run.ts';

const OPTIONS = { forMs: 1_500, clients: 8, subscribers: 4, isPlain: false };

void suite('a random cluster', { concurrency: true }, () => {
  for (const [what, seed, faults] of [
    [
      'connections and nodes come and go',
      1,
      ['resets before', 'resets after', 'replica dies', 'address changes', 'silent', 'late'],
    ],
    ['primaries change', 2, ['failover', 'manual failover', 'primary restarts', 'in pieces']],
    ['slots move', 3, ['migration', 'manual failover', 'late', 'in pieces']],
    ['the plan changes', 4, ['plan', 'replica leaves', 'busy', 'masterdown', 'clusterdown', 'lag']],
  ] as const) {
    test(`no command is lost, doubled, out of order or answered wrongly while ${what}`, async () => {
      const { violations } = await runSeed(seed, { ...OPTIONS, faults });
      assert.deepEqual(violations, []);
    });
  }
});
