import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  judgeFitness,
  judgeLag,
  judgeLink,
  judgePrimary,
  type Before,
} from '../../../src/proxy/topology/fitness.ts';
import { parseReplication, type ReplicationInfo } from '../../../src/proxy/topology/topology.ts';

function replica(more: Readonly<Record<string, string | number>> = {}): string {
  const fields = {
    role: 'slave',
    master_link_status: 'up',
    master_sync_in_progress: 0,
    master_last_io_seconds_ago: 0,
    ...more,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');
}

const FIT: Before = { unfit: undefined, isProbed: true, primaryForMs: 60_000 };
const down = (seconds: number): string =>
  replica({ master_link_status: 'down', master_link_down_since_seconds: seconds });

const CASES: readonly (readonly [what: string, info: unknown, before: Before, isFit: boolean])[] = [
  ['a primary', 'role:master\r\n', FIT, true],
  ['a replica in sync', replica(), FIT, true],
  ['a replica that copies its primary', replica({ master_sync_in_progress: 1 }), FIT, false],
  ['INFO is denied', new Error('NOPERM'), FIT, true],
  ['its link to a living primary is down', down(10), FIT, false],
  ['its link has been down for a moment', down(1), FIT, true],
  ['it has had no link to a primary of long', down(-1), FIT, false],
  ['it has just been told to follow another one', down(-1), { ...FIT, primaryForMs: 500 }, true],
  ['its primary is dead', down(10), { ...FIT, primaryForMs: 0 }, true],
  ['its primary died long ago, the new one has just come', down(10), { ...FIT, primaryForMs: 500 }, true],
  ['the new primary has been there for long', down(10), { ...FIT, primaryForMs: 3_500 }, false],
  [
    'its primary is dead, and it came after that',
    down(10),
    { ...FIT, isProbed: false, primaryForMs: 0 },
    false,
  ],
  ['it was unfit before its primary died', down(10), { ...FIT, unfit: 'why', primaryForMs: 0 }, false],
];

for (const [what, info, before, isFit] of CASES) {
  test(`${what}: ${isFit ? 'read from' : 'passed by'}`, () => {
    const answers = { ping: 'PONG', replication: parseReplication(info), clusterInfo: '' };
    assert.equal(judgeFitness(answers, before) === undefined, isFit);
  });
}

const refused = (text: string): Error => new Error(text);
for (const [what, ping, clusterInfo, unfitBefore, unfit] of [
  ['loads', refused('LOADING Redis is loading the dataset in memory'), '', undefined, 'LOADING'],
  ['has lost its primary', refused('MASTERDOWN Link with MASTER is down'), '', undefined, 'MASTERDOWN'],
  ['refused, and whose cluster is down', 'PONG', 'cluster_state:fail\r\n', 'CLUSTERDOWN', 'CLUSTERDOWN'],
  ['refused, and whose cluster is whole again', 'PONG', 'cluster_state:ok\r\n', 'CLUSTERDOWN', undefined],
  // Reads are allowed there, or nobody has been refused yet.
  ['refused nobody, and whose cluster is down', 'PONG', 'cluster_state:fail\r\n', undefined, undefined],
] as const) {
  test(`a node that ${what}: ${unfit === undefined ? 'read from' : 'passed by'}`, () => {
    const answers = { ping, replication: parseReplication(replica()), clusterInfo };
    assert.equal(judgeFitness(answers, { ...FIT, unfit: unfitBefore }), unfit);
  });
}

test('a lag is judged while the primary can be asked, and else stays as it was', () => {
  const late = judgeLag(undefined, 3_000, 1_000);
  assert.match(late ?? '', /lags/);
  assert.equal(judgeLag(late, 500, 1_000), undefined);
  assert.equal(judgeLag(late, undefined, 1_000), late);
  assert.equal(judgeLag(undefined, undefined, 1_000), undefined);
});

test('a replica of an unknown primary is judged by when it last heard of it', () => {
  const judge = (info: string): string | undefined => judgeLink(parseReplication(info), 5_000);
  assert.equal(judge(replica({ master_last_io_seconds_ago: 5 })), undefined);
  assert.match(judge(replica({ master_last_io_seconds_ago: 6 })) ?? '', /6 s; .*repl-ping-replica-period/);
  assert.match(judge(down(1)) ?? '', /link/);
  assert.equal(judge('role:master\r\n'), undefined);
});

test('where INFO is denied, servers for reads are read from, whatever they may be', () => {
  const denied = parseReplication(
    new Error("NOPERM User proxy has no permissions to run the 'info' command"),
  );
  assert.equal(judgeLink(denied, 5_000), undefined);
  assert.equal(judgePrimary(denied, [saying(replica({ master_replid: 'a' }))]), undefined);
});

const saying = (info: string): ReplicationInfo => {
  const said = parseReplication(info);
  assert.ok(said);
  return said;
};

for (const [what, own, others, isDoubtful] of [
  [
    'whom nobody follows, while another is',
    'role:master\r\nmaster_replid:b\r\n',
    [replica({ master_replid: 'a' })],
    true,
  ],
  [
    'whom one follows',
    'role:master\r\nmaster_replid:a\r\n',
    [{ master_replid: 'a' }, { master_replid: 'b' }].map(replica),
    false,
  ],
  [
    'beside which nobody follows any',
    'role:master\r\nmaster_replid:b\r\n',
    ['role:master\r\nmaster_replid:a\r\n'],
    false,
  ],
  [
    'beside a replica that copies',
    'role:master\r\nmaster_replid:b\r\n',
    [replica({ master_replid: 'a', master_sync_in_progress: 1 })],
    false,
  ],
  ['that does not say which stream it has', 'role:master\r\n', [replica({ master_replid: 'a' })], false],
] as const) {
  test(`among servers for reads a primary ${what} is ${isDoubtful ? 'doubtful' : 'as good as another'}`, () => {
    assert.equal(judgePrimary(saying(own), others.map(saying)) !== undefined, isDoubtful);
  });
}

test('what a replica follows that is too far behind counts nothing', () => {
  const [own, other] = [
    saying('role:master\r\nmaster_replid:b\r\n'),
    saying(replica({ master_replid: 'a', master_last_io_seconds_ago: 3 })),
  ];
  assert.notEqual(judgePrimary(own, [other], 3_000), undefined);
  assert.equal(judgePrimary(own, [other], 2_000), undefined);
});

test('what a replica follows counts also where too little lag is allowed for it to be read from', () => {
  const own = saying('role:master\r\nmaster_replid:b\r\n');
  const other = saying(replica({ master_replid: 'a', master_last_io_seconds_ago: 1 }));
  assert.notEqual(judgeLink(other, 500), undefined);
  assert.notEqual(judgePrimary(own, [other], 500), undefined);
});
