/** What MULTI and WATCH within MULTI do: Valkey 9 refuses EXEC then, Redis 7.0 carries the rest out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { client } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

const CASES: readonly (readonly [what: string, commands: readonly string[], isSaidByRedis: boolean])[] = [
  ['MULTI behind a key', ['MULTI', 'SET k 1', 'MULTI', 'EXEC', 'GET k'], true],
  ['WATCH behind a key', ['MULTI', 'SET k 1', 'WATCH k', 'EXEC', 'GET k'], true],
  ['MULTI behind WATCH', ['WATCH k', 'MULTI', 'MULTI', 'SET k 2', 'EXEC', 'GET k'], true],
  ['MULTI before the first key', ['MULTI', 'PING', 'MULTI', 'SET k 3', 'EXEC', 'GET k'], false],
  ['WATCH before the first key', ['MULTI', 'WATCH k', 'SET k 4', 'EXEC', 'GET k'], false],
  ['nothing else', ['MULTI', 'MULTI', 'EXEC', 'PING'], false],
];

async function answers(redis: Redis, commands: readonly string[]): Promise<readonly string[]> {
  const asked = commands.map((line) => {
    const [name = '', ...args] = line.split(' ');
    return answerOf(redis.call(name, ...args));
  });
  return (await Promise.all(asked)).map(String);
}

for (const from of ['path', 'wheel'] as const) {
  test(`transactions in transactions are what they are to Redis (server from the ${from})`, async (t) => {
    const nodes = await startServers(t, 1, from);
    const [node] = nodes ?? [];
    if (node === undefined) return;
    const through = client(t, await startListener(t, [servers('a', [node])], () => catchAll('a')));
    const direct = client(t, node.port);
    for (const [what, commands, isSaidByRedis] of CASES) {
      const [there, here] = [await answers(direct, commands), await answers(through, commands)];
      // Before the first key says where to ask, the proxy says so in the words of 7.0.
      const alike = (replies: readonly string[]): readonly string[] =>
        isSaidByRedis ? replies : replies.map((reply) => (reply.startsWith('ERR ') ? 'an error' : reply));
      assert.deepEqual(alike(here), alike(there), what);
    }
  });
}
