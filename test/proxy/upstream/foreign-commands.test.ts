import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ForeignCommands } from '../../../src/proxy/upstream/foreign-commands.ts';
import type { CommandEntry } from '../../../src/redis/command-spec.ts';

const none = (): Promise<undefined> => Promise.resolve(undefined);
const entryOf = (name: string): CommandEntry => [name, 2, ['readonly'], 1, 1, 1];

test('a thousand clients that invent names cost two questions', async () => {
  const questions: (readonly string[])[] = [];
  const foreign = new ForeignCommands(async (names) => {
    questions.push(names);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return names.map(() => null);
  }, none);
  const learned = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => foreign.learn(`invented-${index % 50}`)),
  );
  assert.deepEqual(new Set(learned), new Set(['unknown']));
  assert.equal(questions.length, 2);
});

test('what is known stays so while nobody answers', async () => {
  let answers = true;
  const foreign = new ForeignCommands(
    (names) => Promise.resolve(answers ? names.map(entryOf) : undefined),
    none,
  );
  await foreign.learn('json.get');
  answers = false;
  const found = await foreign.learn('json.get');
  assert.ok(typeof found === 'object' && 'command' in found);
  assert.equal(await foreign.learn('json.set'), 'unreachable');
});

test('what is remembered has bounds', async () => {
  const foreign = new ForeignCommands((names) => Promise.resolve(names.map(entryOf)), none);
  await Promise.all(Array.from({ length: 1_500 }, (_, index) => foreign.learn(`x.${index}`)));
  assert.equal(foreign.find('x.0'), undefined);
  assert.notEqual(foreign.find('x.1499'), undefined);
});
