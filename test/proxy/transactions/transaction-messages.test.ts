import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Session } from '../../../src/proxy/client/session.ts';
import { TransactionMessages } from '../../../src/proxy/transactions/transaction-messages.ts';
import type { Node } from '../../../src/proxy/topology/node.ts';
import type { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { commandByName } from '../../../src/redis/command-table.ts';

/** How many are published where clients subscribe, of messages of so many bytes each. */
function published(messages: readonly number[], isOfCluster = false): number {
  let sent = 0;
  const upstream = {
    checksSlots: isOfCluster,
    knows: () => false,
    isReady: true,
    anyPlace: () => 0,
    holderOf: () => ({ address: 'of messages' }),
    send: () => void (sent += 1),
  };
  const session = {
    home: { routing: { catchAll: { upstream }, primaryTerms: {} } },
    newPart: takeRequest,
    placeWithoutKey: () => 0,
  };
  const kept = new TransactionMessages();
  for (const bytes of messages) kept.keep(commandByName('publish')!, Buffer.alloc(bytes), 0, bytes);
  const at = { node: { address: 'of keys' } as Node, upstream: (isOfCluster ? upstream : {}) as Upstream };
  kept.sendAfter(session as unknown as Session, at, false);
  return sent;
}

test('of a transaction that publishes more than 1 MiB nothing is kept, not in part either', () => {
  assert.equal(published([500_000, 500_000]), 2);
  assert.equal(published([500_000, 600_000, 10]), 0);
});

test('what a node of a cluster has published is not published again, though it is lost by then', () => {
  assert.equal(published([10], true), 0);
});
