import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Location } from '../../src/proxy/locate.ts';
import type { Routing } from '../../src/proxy/routing.ts';
import type { Session } from '../../src/proxy/session.ts';
import { TransactionCopies } from '../../src/proxy/transaction-copies.ts';
import { UnavailableUpstream } from '../../src/proxy/unavailable-upstream.ts';
import { commandByName } from '../../src/redis/command-table.ts';

/** How many commands of so many bytes each reach the mirror. */
function copied(count: number, bytes: number, isPlanNew = false): number {
  const upstream = new UnavailableUpstream();
  const mirrors = [{ upstream, percentage: 100, excludeReads: false }];
  const location = {
    kind: 'keyed',
    destination: { upstream, reads: upstream, cut: 0, mirrors },
    upstream,
    place: 0,
    bytes: Buffer.alloc(bytes),
    from: 0,
    to: bytes,
    keyStart: 0,
    keyEnd: 1,
  } satisfies Location;
  const copies = new TransactionCopies();
  const terms = { hashTags: false };
  const [routing, next] = [{ terms } as Routing, { terms } as Routing];
  for (let index = 0; index < count; index++) copies.keep(commandByName('set')!, location, routing);
  let sent = 0;
  const home = { routing: isPlanNew ? next : routing };
  const session = { home, copy: () => (sent += 1) } as unknown as Session;
  copies.sendAfter(session, Buffer.from('*2\r\n'), 0);
  return sent;
}

test('a transaction of more than 16 MiB is not copied, not in part either', () => {
  assert.equal(copied(2, 8_000_000), 2);
  assert.equal(copied(3, 8_000_000), 0);
});

test('a transaction is not copied to mirrors of a former plan, which nobody would disconnect from', () => {
  assert.equal(copied(2, 100), 2);
  assert.equal(copied(2, 100, true), 0);
});
