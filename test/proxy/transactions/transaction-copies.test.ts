import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Location } from '../../../src/proxy/client/locate.ts';
import type { Session } from '../../../src/proxy/client/session.ts';
import { TransactionCopies } from '../../../src/proxy/transactions/transaction-copies.ts';
import { UnavailableUpstream } from '../../../src/proxy/upstream/unavailable-upstream.ts';
import type { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import { commandByName } from '../../../src/redis/command-table.ts';

const MIRROR = new UnavailableUpstream();

/** How many commands of so many bytes each reach the mirror, which the plan has in the end as `upstream`. */
function copied(count: number, bytes: number, upstream: Upstream | null = MIRROR): number {
  const mirrors = [{ id: 'mirror', upstream: MIRROR, percentage: 100, excludeReads: false }];
  const location = {
    kind: 'keyed',
    destination: { upstream: MIRROR, reads: MIRROR, cut: 0, mirrors },
    upstream: MIRROR,
    place: 0,
    bytes: Buffer.alloc(bytes),
    from: 0,
    to: bytes,
    keyStart: 0,
    keyEnd: 1,
  } satisfies Location;
  const copies = new TransactionCopies();
  for (let index = 0; index < count; index++) copies.keep(commandByName('set')!, location);
  let sent = 0;
  const routing = {
    terms: { hashTags: false },
    mirrors: new Map(upstream === null ? [] : [['mirror', upstream]]),
  };
  const copy = (to: Upstream): void => {
    if (to === upstream) sent += 1;
  };
  copies.sendAfter({ home: { routing }, copy } as unknown as Session);
  return sent;
}

test('a transaction of more than 16 MiB is not copied, not in part either', () => {
  assert.equal(copied(2, 8_000_000), 2);
  assert.equal(copied(3, 8_000_000), 0);
});

test('a transaction of more commands than a mirror takes at once is not copied, not in part either', () => {
  assert.equal(copied(10_000, 20), 10_000);
  assert.equal(copied(10_001, 20), 0);
});

test('a transaction is not copied to a mirror that is none any more: nobody would disconnect from it', () => {
  assert.equal(copied(2, 100), 2);
  assert.equal(copied(2, 100, null), 0);
});

test('a transaction is copied to what its mirror is by now', () => {
  assert.equal(copied(2, 100, new UnavailableUpstream()), 2);
});
