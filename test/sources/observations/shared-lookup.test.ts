import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { test } from 'node:test';

import { sharedLookup } from '../../../src/sources/observations/shared-lookup.ts';

type Told = Parameters<LookupFunction>[2];

function setting(): {
  readonly asked: { readonly name: string; readonly told: Told }[];
  readonly heard: string[];
  readonly pass: (ms: number) => void;
  readonly want: (who: string, name: string) => void;
} {
  const asked: { readonly name: string; readonly told: Told }[] = [];
  const heard: string[] = [];
  let now = 0;
  const lookup = sharedLookup(
    (name, _options, told) => void asked.push({ name, told }),
    () => now,
  );
  return {
    asked,
    heard,
    pass: (ms) => (now += ms),
    want: (who, name) =>
      lookup(name, {}, (error, address) => heard.push(`${who} ${error?.code ?? JSON.stringify(address)}`)),
  };
}

test('a name that is being looked up is not looked up anew, and all hear of it', () => {
  const { asked, heard, want } = setting();
  for (const who of ['a', 'b']) want(who, 'one');
  want('c', 'two');
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['one', 'two'],
  );
  asked[0]?.told(null, '127.0.0.1', 4);
  assert.deepEqual(heard, ['a "127.0.0.1"', 'b "127.0.0.1"']);
  asked[1]?.told(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), '', 4);
  assert.deepEqual(heard.slice(2), ['c ENOTFOUND']);
  want('d', 'one');
  assert.equal(asked.length, 3);
});

test('a name that nobody answers for for a second is asked for once more, and no more than that', () => {
  const { asked, heard, want, pass } = setting();
  want('a', 'one');
  pass(1_000);
  want('b', 'one');
  pass(60_000);
  for (const who of ['c', 'd']) want(who, 'one');
  assert.equal(asked.length, 2);
  asked[1]?.told(null, '127.0.0.1', 4);
  assert.deepEqual(heard, ['b "127.0.0.1"', 'c "127.0.0.1"', 'd "127.0.0.1"']);
  pass(1_000);
  want('e', 'one');
  assert.equal(asked.length, 3);
});
