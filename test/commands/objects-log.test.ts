import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import type { RedisService } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { logObjects } from '../../src/commands/objects-log.ts';
import { World, type ObjectChanges } from '../../src/world/world.ts';
import { redisService, service } from '../plan/objects.ts';

/** What is said of each change, one after the other. */
function said(...changes: readonly ObjectChanges[]): string[][] {
  let world = World.empty({ clusterDomain: 'cluster.local' });
  return changes.map((change) => {
    const lines: string[] = [];
    logObjects(pino({ base: null }, { write: (line: string) => void lines.push(line) }), world, change);
    world = world.apply(change).world;
    return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  });
}

test('an object that came, changed or went is a line each', () => {
  const object = redisService({ hosts: ['a'] });
  const name = 'RedisService redis/redis-cluster';
  assert.deepEqual(
    said(
      { set: [object], deleted: [] },
      { set: [redisService({ hosts: ['a'], readPolicy: 'ANY' })], deleted: [] },
      { set: [], deleted: [object] },
    ),
    [[`${name} was added`], [`${name} changed`], [`${name} is gone`]],
  );
});

test('an object of which nothing but its lines in the file changed is no news', () => {
  const service = (password: string, line: number): RedisService =>
    redisService({
      hosts: ['a'],
      auth: { kind: 'plain', username: undefined, password: new SecretText(password) },
      locate: () => ({ file: 'a.yaml', line, column: 1 }),
    });
  assert.deepEqual(
    said(
      { set: [service('one', 1)], deleted: [] },
      { set: [service('one', 9)], deleted: [] },
      { set: [service('two', 9)], deleted: [] },
    ).map((lines) => lines.length),
    [1, 0, 1],
  );
});

test('what pods bring about is no news, and what was not there did not go', () => {
  const deleted = [redisService({ hosts: ['a'] })];
  assert.deepEqual(said({ set: [service()], deleted }), [[]]);
});

test('of very many at a time the first are told', () => {
  const set = Array.from({ length: 30 }, (_, index) => ({
    ...redisService({ hosts: ['a'] }),
    name: `a-${index}`,
  }));
  const [lines = []] = said({ set, deleted: [] });
  assert.equal(lines.length, 21);
  assert.equal(lines.at(-1), '10 more objects came, changed or went');
});
