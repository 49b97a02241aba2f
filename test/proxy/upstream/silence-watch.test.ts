import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Node } from '../../../src/proxy/topology/node.ts';
import { SilenceWatch } from '../../../src/proxy/upstream/silence-watch.ts';
import type { Connection } from '../../../src/proxy/wire/connection.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';

const NOW = 1_000_000;

/** What becomes of a connection whose one command has waited for so long, and over which something came so long ago. */
function outcomeOf(waitingMs: number, silentMs: number, opTimeoutMs: number): readonly string[] {
  const told: string[] = [];
  const request = takeRequest();
  request.terms = { ...request.terms, opTimeoutMs };
  const connection: Partial<Connection> = {
    waitingMs: () => waitingMs,
    silentMs: () => silentMs,
    overdue: (since, tell) => {
      if (NOW - waitingMs <= since) tell(request, NOW - waitingMs);
    },
    destroy: () => void told.push('given up'),
  };
  const node = { unfit: undefined, connections: () => [connection], update: () => told.push('silent') };
  const watch = new SilenceWatch(200, {
    hedge: () => told.push('hedged'),
    timedOut: () => told.push('timed out'),
  });
  watch.look(node as unknown as Node, NOW);
  return told;
}

const CASES: readonly (readonly [
  string,
  waitingMs: number,
  silentMs: number,
  opTimeoutMs: number,
  string,
])[] = [
  ['waits for a moment', 100, 100, 5_000, ''],
  ['waits for longer than reads are made to', 300, 300, 5_000, 'silent'],
  ['waits behind a reply that is coming', 300, 10, 5_000, ''],
  ['waits for longer than its listener lets it', 6_000, 6_000, 5_000, 'silent, timed out'],
  ['waits for half a minute, and nothing comes', 31_000, 31_000, 5_000, 'given up'],
  ['waits for half a minute behind a reply that is coming', 31_000, 10, 5_000, 'timed out'],
  ['waits for half a minute, as its listener lets it', 31_000, 31_000, 60_000, 'silent'],
];

for (const [what, waitingMs, silentMs, opTimeoutMs, wanted] of CASES) {
  test(`a command that ${what}: ${wanted === '' ? 'nothing' : wanted}`, () => {
    assert.equal(outcomeOf(waitingMs, silentMs, opTimeoutMs).join(', '), wanted);
  });
}
