import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { StreamState } from '../../src/xds/live-stream.ts';
import { syncStatus } from '../../src/xds/sync-status.ts';
import { syncTable } from '../../src/xds/sync-table.ts';
import { assertSilent, NODE, SERVED, stage, until } from './surroundings.ts';
import { type ShortType, typeOf } from './talk.ts';

function state(type: ShortType, more: Partial<StreamState> = {}): StreamState {
  return {
    node: 'app-1',
    variant: 'delta',
    peer: '127.0.0.1:1',
    namespace: 'shop',
    version: '1.40.0',
    typeUrl: typeOf(type),
    sentVersion: '1',
    acknowledgedVersion: '1',
    isAnswered: true,
    rejection: undefined,
    ...more,
  };
}

const states: [what: string, state: Partial<StreamState>, expected: string][] = [
  ['has acknowledged what was sent', {}, 'SYNCED'],
  [
    'was sent nothing, since it had everything',
    { sentVersion: undefined, acknowledgedVersion: undefined },
    'SYNCED',
  ],
  ['has not answered yet', { acknowledgedVersion: undefined, isAnswered: false }, 'STALE'],
  ['has answered an earlier response only', { sentVersion: '2', isAnswered: false }, 'STALE'],
  ['has not answered what it was sent a second time', { isAnswered: false }, 'STALE'],
  ['refused what has gone since', { sentVersion: '2' }, 'SYNCED'],
  ['refused it', { sentVersion: '2', rejection: 'no' }, 'REJECTED'],
];
for (const [what, more, expected] of states) {
  test(`a node that ${what} is ${expected}`, () => {
    assert.equal(syncStatus([state('LDS', more)])[0]?.types[0]?.state, expected);
  });
}

test('nodes are sorted, their types in the order of sending, and connections of one node kept apart', () => {
  const status = syncStatus([
    state('LDS', { node: 'b' }),
    state('CDS', { node: 'b' }),
    state('LDS', { peer: '127.0.0.1:2' }),
    state('LDS'),
  ]);
  assert.deepEqual(
    status.map(({ node, peer, types }) => [node, peer, types.map(({ type }) => type).join()]),
    [
      ['app-1', '127.0.0.1:1', 'listeners'],
      ['app-1', '127.0.0.1:2', 'listeners'],
      ['b', '127.0.0.1:1', 'clusters,listeners'],
    ],
  );
});

test('the table has a row a node, and a line a refusal', () => {
  const status = syncStatus([
    state('CDS'),
    state('LDS', { rejection: 'address in use\n\u001B[2J' }),
    state('LDS', { node: 'b', namespace: undefined, version: undefined, isAnswered: false }),
  ]);
  assert.equal(
    syncTable(status),
    [
      'NODE   NAMESPACE  ENVOY   CLUSTERS  ENDPOINTS  LISTENERS  PEER',
      'app-1  shop       1.40.0  SYNCED    -          REJECTED   127.0.0.1:1',
      'b      -          -       -         -          STALE      127.0.0.1:1',
      '',
      'app-1: listeners rejected: address in use [2J',
      '',
    ].join('\n'),
  );
  assert.equal(syncTable([]), 'no nodes are connected\n');
});

test('a real conversation is seen as it goes: stale, synced, rejected, synced', async () => {
  await using here = await stage(SERVED);
  const stream = here.client().stream('delta');
  const seen = (): string | undefined => syncStatus(here.server.streams())[0]?.types[0]?.state;
  const becomes = async (expected: string): Promise<void> => until(() => seen() === expected, expected, seen);
  stream.send('LDS', NODE);
  const first = await stream.next();
  assert.equal(seen(), 'STALE');
  stream.ack(first);
  await becomes('SYNCED');
  here.source.set({ ...SERVED, LDS: 'l@2' });
  stream.ack(await stream.next(), { error_detail: { code: 13, message: 'l: no' } });
  await becomes('REJECTED');
  assert.equal(syncStatus(here.server.streams())[0]?.types[0]?.reason, 'l: no');
  here.source.set({ ...SERVED, LDS: 'l@3' });
  stream.ack(await stream.next());
  await becomes('SYNCED');
  await assertSilent(stream, 'delta');
});
