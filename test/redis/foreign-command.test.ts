import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CommandEntry } from '../../src/redis/command-spec.ts';
import { KIND } from '../../src/redis/command-table.ts';
import { foreignCommand } from '../../src/redis/foreign-command.ts';
import { keyArguments } from '../../src/redis/keys.ts';

/** As a module's command is described before and since Redis 7. */
const OLD: CommandEntry = ['json.mset', -4, ['write', 'denyoom'], 1, -1, 3];
const NEW: CommandEntry = [
  'json.mset',
  -4,
  ['write', 'denyoom'],
  1,
  -1,
  3,
  ['@write'],
  [],
  [
    [
      'flags',
      [],
      'begin_search',
      ['type', 'index', 'spec', ['index', 1]],
      'find_keys',
      ['type', 'range', 'spec', ['lastkey', -1, 'keystep', 3, 'limit', 0]],
    ],
  ],
  [],
];

for (const [version, entry] of [
  ['Redis 6', OLD],
  ['Redis 7', NEW],
] as const) {
  test(`keys of a module's command, as ${version} describes it`, () => {
    const found = foreignCommand('json.mset', entry);
    assert.ok('command' in found);
    const { kind, firstKey, isRead, hasOneKey, keys } = found.command;
    assert.deepEqual(
      { kind, firstKey, isRead, hasOneKey },
      { kind: KIND.keyed, firstKey: 1, isRead: false, hasOneKey: false },
    );
    assert.deepEqual(keys, [
      { begin: { kind: 'index', index: 1 }, find: { kind: 'range', last: -1, step: 3, limit: 0 } },
    ]);
  });
}

test('a command without keys goes to any primary', () => {
  const found = foreignCommand('ft.search', ['ft.search', -3, ['readonly'], 0, 0, 0]);
  assert.equal('command' in found && found.command.kind, KIND.keyless);
});

const REFUSED: readonly (readonly [what: string, entry: CommandEntry, why: string])[] = [
  [
    'whose keys Redis can only find itself',
    ['x.call', -2, ['write', 'movablekeys'], 0, 0, 0],
    'where its keys are',
  ],
  ['for administrators', ['x.debug', -2, ['admin'], 0, 0, 0], 'administrators'],
  ['that is a known one that is refused', ['shutdown', -1, ['admin'], 0, 0, 0], 'it is shutdown'],
  ['that is a known one for all nodes', ['flushall', -1, ['write'], 0, 0, 0], 'it is flushall'],
  ['that subscribes', ['x.listen', -2, ['pubsub'], 0, 0, 0], 'subscribes'],
];

for (const [what, entry, why] of REFUSED) {
  test(`a command ${what} is refused`, () => {
    const found = foreignCommand('other', entry);
    assert.match('refusal' in found ? found.refusal : 'none', new RegExp(why));
  });
}

test('a command whose keys are no step apart has one', () => {
  const found = foreignCommand('module.get', ['module.get', -2, ['readonly'], 1, 1, 0]);
  assert.ok('command' in found);
  assert.deepEqual(
    keyArguments(found.command.keys, 3, () => ''),
    [1],
  );
});
