import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tableText } from '../../src/demo/table.ts';
import { between, obeys, parseCounts, splitByRole, type Counts, type Split } from '../../src/demo/traffic.ts';
import { ENVOY_WHEEL, checkHash } from '../../src/demo/wheel.ts';

const COMMANDS = { read: 'get', write: 'set' };
const counts = (fields: Partial<Counts>): Counts => ({
  role: 'primary',
  reads: 0,
  writes: 0,
  refusedWrites: 0,
  ...fields,
});

const info = (role: string): string =>
  `# Replication\r\nrole:${role}\r\n# Commandstats\r\ncmdstat_get:calls=7,usec=1,rejected_calls=0,failed_calls=0\r\n` +
  'cmdstat_set:calls=5,usec=1,rejected_calls=2,failed_calls=0\r\ncmdstat_getset:calls=99\r\n';

test("a primary's calls are clients' reads and writes", () => {
  assert.deepEqual(parseCounts(info('master'), COMMANDS), {
    role: 'primary',
    reads: 7,
    writes: 5,
    refusedWrites: 2,
  });
});

test("a replica's SET calls are copies of its primary's, only refused ones are clients'", () => {
  assert.deepEqual(parseCounts(info('slave'), COMMANDS), {
    role: 'replica',
    reads: 7,
    writes: 0,
    refusedWrites: 2,
  });
});

test('a node without any command yet has seen none', () => {
  assert.deepEqual(parseCounts('role:master\r\n', COMMANDS), counts({}));
});

test('a node that was restarted counts from zero again', () => {
  assert.deepEqual(between(counts({ reads: 100 }), counts({ reads: 3 })), counts({ reads: 3 }));
});

test('writes before a change of role do not count as of the new role', () => {
  assert.equal(between(counts({ role: 'replica' }), counts({ writes: 50 })).writes, 0);
});

const split = (readsOnPrimaries: number, readsOnReplicas: number): Split => ({
  readsOnPrimaries,
  readsOnReplicas,
  writesOnPrimaries: 0,
  writesOnReplicas: 0,
});
const judged: [policy: string, split: Split, expected: boolean | undefined][] = [
  ['MASTER', split(50, 0), true],
  ['PREFER_MASTER', split(50, 1), false],
  ['REPLICA', split(0, 50), true],
  ['PREFER_REPLICA', split(1, 50), false],
  ['ANY', split(20, 30), true],
  ['ANY', split(0, 50), false],
  ['REPLICA', split(0, 3), undefined],
];
for (const [policy, seen, expected] of judged) {
  test(`${policy} with ${seen.readsOnPrimaries} reads on primaries and ${seen.readsOnReplicas} on replicas is ${expected}`, () =>
    assert.equal(obeys(policy, seen), expected));
}

test('a write that a replica refused is a write on a replica', () => {
  assert.equal(splitByRole([counts({ role: 'replica', refusedWrites: 1 })]).writesOnReplicas, 1);
});

test('the table names each node with its role, and a node that is down', () => {
  const text = tableText({
    policy: 'REPLICA',
    rows: [
      { name: '127.0.0.1:7000', shard: 1, counts: counts({ writes: 3 }) },
      { name: '127.0.0.1:7001', shard: 1, counts: counts({ role: 'replica', reads: 40 }) },
      { name: '127.0.0.1:7002', shard: 2, counts: undefined },
    ],
    unit: '/s',
    events: [],
    footer: 'the end',
    colour: false,
  });
  assert.match(text, /127\.0\.0\.1:7000 +primary +1 +0 +3/);
  assert.match(text, /127\.0\.0\.1:7001 +replica +1 +40 +0/);
  assert.match(text, /127\.0\.0\.1:7002 +down +2/);
  assert.match(text, /0 on primaries, 40 on replicas; writes\/s: 3 on primaries, 0 on replicas\nthe end$/);
});

test('a wheel with another hash than the one kept here is refused', () => {
  assert.throws(
    () => checkHash(ENVOY_WHEEL, ENVOY_WHEEL.file, Buffer.from('something else')),
    /is not the wheel that was expected/,
  );
});
