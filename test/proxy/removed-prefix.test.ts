import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat, withPrefixRemoved } from './servers.ts';

const CASES: readonly (readonly [command: string, asked: readonly string[]])[] = [
  ['GET p:k', ['GET k']],
  ['GET k', ['GET k']],
  ['MGET p:k', ['mget k']],
  ['MGET p:a p:b', ['mget a b']],
  ['MSET p:a p:1 p:b p:2', ['mset a p:1 b p:2']],
  ['DEL p:a b p:c', ['del a c', 'del b']],
  ['RENAME p:a p:b', ['RENAME a b']],
  ['SORT p:a BY p:w STORE p:b', ['SORT a BY w STORE b']],
  // Of one of them more would be cut off, or less.
  ['RENAME p:a b', []],
  ['RENAME a p:b', []],
];

for (const [command, wanted] of CASES) {
  test(`${command} without its prefix is ${wanted.join(', ') || 'refused'}`, async (t) => {
    const redis = await serverThat(t, (words) => {
      const { length } = words.split(' ').slice(1);
      return words.startsWith('mget') ? `*${length}\r\n${':1\r\n'.repeat(length)}` : ':1\r\n';
    });
    const { port } = await proxyFor(t, withPrefixRemoved(planTo(redis.port), 'p:'));
    const client = clientOf(t, port);
    client.socket.write(`${command}\r\n`);
    await eventually('the reply', () => client.got() !== '' || undefined);
    assert.deepEqual(
      redis.asked.filter((words) => words !== 'PING'),
      wanted,
    );
    assert.equal(client.got().startsWith('-CROSSSLOT'), wanted.length === 0);
  });
}

for (const [asked, wanted] of [
  ['SORT p:list BY p:w_* GET # GET p:o_*->f', 'SORT list BY w_* GET # GET o_*->f'],
  ['SORT_RO p:list LIMIT 0 5 GET p:o_* BY nosort', 'SORT_RO list LIMIT 0 5 GET o_* BY nosort'],
  ['sort p:get by q:by_* get p:get_* store p:by', 'sort get by q:by_* get get_* store by'],
  ['SORT list BY p:w_*', 'SORT list BY p:w_*'],
] as const) {
  test(`a prefix is removed from the patterns of "${asked}" where they are of the same route`, async (t) => {
    const redis = await serverThat(t, () => '*0\r\n');
    const { port } = await proxyFor(t, withPrefixRemoved(planTo(redis.port), 'p:'));
    const client = clientOf(t, port);
    client.socket.write(`${asked}\r\n`);
    await eventually('the reply', () => client.got() === '*0\r\n' || undefined);
    assert.ok(redis.asked.includes(wanted), redis.asked.join(', '));
  });
}
