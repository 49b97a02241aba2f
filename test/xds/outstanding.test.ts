/**
 * What is remembered of responses that the client has not answered.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LISTENER_TYPE, type Resource } from '../../src/envoy/resource.ts';
import { Outstanding, type SentResponse } from '../../src/xds/outstanding.ts';

const MOST_KEPT = 256;

function response(nonce: number, brings: readonly string[], removed: readonly string[] = []): SentResponse {
  const resources = brings.map((name): Resource => ({
    typeUrl: LISTENER_TYPE,
    name,
    version: '1',
    bytes: Buffer.alloc(0),
  }));
  const content = { version: '1', resources, removed };
  return { nonce: String(nonce), content, removed, fresh: resources, novel: [], sentMs: 0, sequence: nonce };
}

test('of names that come and go no more responses are remembered than a bound', () => {
  const outstanding = new Outstanding(0);
  for (let nonce = 0; nonce < 4 * MOST_KEPT; nonce++) {
    outstanding.add(response(nonce, [`at-${nonce}`], [`at-${nonce - 1}`]));
  }
  assert.equal(outstanding.names().length, MOST_KEPT);
  assert.equal(outstanding.take(String(3 * MOST_KEPT - 1)), undefined);
  assert.equal(outstanding.take(String(3 * MOST_KEPT))?.sequence, 3 * MOST_KEPT);
});

test('one that nothing has overtaken is remembered however many come after it that overtake each other', () => {
  const outstanding = new Outstanding(0);
  for (let nonce = 0; nonce < 4 * MOST_KEPT; nonce++) {
    outstanding.add(response(nonce, nonce === 0 ? ['alone'] : ['again']));
  }
  assert.ok(outstanding.brings('alone'));
  assert.ok(outstanding.names().length < MOST_KEPT);
});
