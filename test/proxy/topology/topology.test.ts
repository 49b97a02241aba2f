import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  betterTopology,
  mayReplace,
  parseTopology,
  unlisted,
  type Topology,
} from '../../../src/proxy/topology/topology.ts';

const ASKED = { host: '10.0.0.9', port: 7_000 };

for (const [what, node, host] of [
  ['an address', ['10.0.0.1', 6_379, 'id', []], '10.0.0.1'],
  ['an IPv6 address', ['fd00::1', 6_379, 'id', []], 'fd00::1'],
  // cluster-preferred-endpoint-type hostname, with one announced and without.
  ['a host name', ['redis-0.example', 6_379, 'id', ['ip', '10.0.0.1']], 'redis-0.example'],
  ['no host name, and an address beside it', ['?', 6_379, 'id', ['ip', '10.0.0.1']], '10.0.0.1'],
  // cluster-preferred-endpoint-type unknown-endpoint.
  ['nothing', [null, 6_379, 'id', []], ASKED.host],
  ['nothing, as a node says that was never met', ['', 6_379, 'id', ['ip', '']], ASKED.host],
  ['nothing, as Redis 6 does', ['', 6_379], ASKED.host],
] as const) {
  test(`CLUSTER SLOTS that names a node by ${what} means ${host}`, () => {
    const found = parseTopology([[0, 16_383, node]], '', ASKED);
    assert.deepEqual(found?.shards[0]?.primary, { host, port: 6_379 });
  });
}

test('ranges of one primary are one shard', () => {
  const one = ['10.0.0.1', 6_379];
  const other = ['10.0.0.2', 6_379];
  const found = parseTopology(
    [
      [0, 9, one],
      [10, 19, other],
      [30, 39, one],
    ],
    'cluster_current_epoch:7\r\n',
    ASKED,
  );
  assert.deepEqual(
    found?.shards.map(({ ranges }) => ranges),
    [
      [
        [0, 9],
        [30, 39],
      ],
      [[10, 19]],
    ],
  );
  assert.deepEqual([found?.covered, found?.epoch], [30, 7]);
});

for (const [what, a, b, isFirst] of [
  ['more slots, in an older epoch', [16_384, 1], [16_000, 2], true],
  ['as many slots, and a newer epoch', [16_384, 3], [16_384, 2], true],
  ['as many slots, and an older epoch', [16_384, 1], [16_384, 2], false],
] as const) {
  test(`of two answers one with ${what} is ${isFirst ? '' : 'not '}taken`, () => {
    const rest = { shards: [], ids: [], toldBy: ASKED };
    const [first, second] = [a, b].map(([covered, epoch]): Topology => ({ ...rest, covered, epoch }));
    assert.equal(betterTopology(first, second), isFirst ? first : second);
    assert.equal(betterTopology(second, first), isFirst ? first : second);
  });
}

for (const [what, more, wanted] of [
  ['as many slots, and the same epoch', {}, true],
  ['more slots, and a newer epoch', { covered: 16_384, epoch: 3 }, true],
  ['fewer slots', { covered: 15_999, epoch: 3 }, false],
  ['an older epoch', { covered: 16_384, epoch: 1 }, false],
  ['fewer slots, and other nodes', { covered: 1, epoch: 1, ids: ['c'] }, true],
  ['fewer slots, and some of the nodes', { covered: 1, ids: ['c', 'b'] }, false],
  ['an older epoch, and no ids, as of Redis 3', { epoch: 1, ids: [] }, false],
] as const) {
  test(`a map with ${what} ${wanted ? 'may' : 'may not'} take the place of the one before`, () => {
    const before = { shards: [], covered: 16_000, epoch: 2, ids: ['a', 'b'], toldBy: ASKED };
    assert.equal(mayReplace({ ...before, ...more }, before), wanted);
  });
}

test('members that the map leaves out are told with what the cluster says of them', () => {
  const nodes = [
    'aa 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-16383',
    'bb 10.0.0.2:7000@17000 slave,fail aa 0 0 1 connected',
    'cc ::1:7000@17000,name slave,fail? aa 0 0 1 connected',
    'dd :0@0 slave,noaddr aa 0 0 1 disconnected',
    '',
  ].join('\n');
  const topology: Topology = { shards: [], covered: 0, epoch: 0, ids: ['aa'], toldBy: ASKED };
  assert.deepEqual(unlisted(nodes, topology), {
    '10.0.0.2:7000': 'slave,fail',
    '[::1]:7000': 'slave,fail?',
    dd: 'slave,noaddr',
  });
  assert.equal(unlisted(nodes, { ...topology, ids: ['aa', 'bb', 'cc', 'dd'] }), undefined);
  // A server too old to tell ids.
  assert.equal(unlisted(nodes, { ...topology, ids: [] }), undefined);
});
