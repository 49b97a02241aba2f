import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Node } from '../../../src/proxy/topology/node.ts';
import { hostOf, readRefusal } from '../../../src/proxy/upstream/refusal.ts';

const CASES: readonly (readonly [text: string, wanted: object | undefined])[] = [
  ['MOVED 7 10.0.0.1:6379', { kind: 'moved', slot: 7, host: '10.0.0.1', port: 6_379 }],
  ['ASK 7 [::1]:6379', { kind: 'ask', slot: 7, host: '::1', port: 6_379 }],
  ['MOVED 7 ::1:6379', { kind: 'moved', slot: 7, host: '::1', port: 6_379 }],
  ['MOVED 7 :6379', { kind: 'moved', slot: 7, host: '', port: 6_379 }],
  ['MOVED 7 10.0.0.1', undefined],
  ['MOVED 7 10.0.0.1:65536', undefined],
  ['MOVED 7', undefined],
  ['LOADING Redis is loading the dataset in memory', { kind: 'unfit', word: 'LOADING' }],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", unfit('MASTERDOWN')],
  ['CLUSTERDOWN The cluster is down', unfit('CLUSTERDOWN')],
  // It answers reads, or all of its other slots.
  ['CLUSTERDOWN The cluster is down and only accepts read commands', { kind: 'later' }],
  ['CLUSTERDOWN Hash slot not served', { kind: 'later' }],
  ['BUSY Redis is busy running a script.', unfit('BUSY Redis is busy running a script.')],
  ['TRYAGAIN Multiple keys request during rehashing of slot', { kind: 'torn' }],
  ["READONLY You can't write against a read only replica.", { kind: 'later' }],
  ['UNBLOCKED force unblock from blocking operation', { kind: 'later' }],
  // A script may say what begins alike: it was carried out.
  ['LOADING of a lorry', undefined],
  ['CLUSTERDOWN again', undefined],
  ['BUSYGROUP Consumer Group name already exists', undefined],
  ['READONLY my own word', undefined],
];

function unfit(word: string): object {
  return { kind: 'unfit', word };
}

for (const [text, wanted] of CASES) {
  test(`"${text}" ${wanted === undefined ? 'is for its client' : `means ${JSON.stringify(wanted)}`}`, () => {
    assert.deepEqual(readRefusal(text), wanted);
  });
}

const nodeAt = (host: string, port: number): Node => ({ options: { host, port } }) as Node;
const FROM = nodeAt('from', 1);

for (const [what, kind, host, nodes, wanted] of [
  ['a name', 'moved', 'named', [], 'named'],
  ['no name', 'moved', '', [], 'from'],
  ['MOVED without one of its kind', 'moved', '?', [nodeAt('only', 2)], '?'],
  ['ASK without one of its kind', 'ask', '?', [FROM, nodeAt('only', 2)], 'only'],
  ['ASK to one of several at the port', 'ask', '?', [nodeAt('one', 2), nodeAt('other', 2)], '?'],
  ['ASK to a port that nobody known has', 'ask', '?', [FROM], '?'],
] as const) {
  test(`a redirection with ${what} leads to ${wanted}`, () => {
    assert.equal(hostOf({ kind, slot: 0, host, port: 2 }, FROM, nodes), wanted);
  });
}

test('ASK to the port of who says it leads nowhere that is known', () => {
  assert.equal(hostOf({ kind: 'ask', slot: 0, host: '?', port: 1 }, FROM, [FROM]), '?');
});
