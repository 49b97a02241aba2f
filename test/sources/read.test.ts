import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseFile } from '../../src/sources/files/documents.ts';
import { gather } from '../../src/sources/files/gather.ts';

function objectsOf(text: string): string[] {
  const { held } = gather(new Map([['x.yaml', parseFile('x.yaml', text, undefined)]]), new Map());
  return [...held.keys()];
}

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: 6379}]}\n`;

test('several documents of one file are several objects', () => {
  assert.deepEqual(objectsOf(`${service('a')}---\n${service('b')}---\n`), [
    'Service/default/a',
    'Service/default/b',
  ]);
});

test('a List is the objects in it', () => {
  const items = [service('a'), service('b')]
    .map((text) => `  - ${text.trim().replaceAll('\n', '\n    ')}\n`)
    .join('');
  assert.deepEqual(objectsOf(`apiVersion: v1\nkind: List\nitems:\n${items}`), [
    'Service/default/a',
    'Service/default/b',
  ]);
});

test('a mistake in an item of a List is told at its own line', () => {
  const bad = service('b').trim().replace('6379', '0').replaceAll('\n', '\n    ');
  const text = `apiVersion: v1\nkind: List\nitems:\n  - ${service('a').trim().replaceAll('\n', '\n    ')}\n  - ${bad}\n`;
  const { diagnostics } = gather(new Map([['x.yaml', parseFile('x.yaml', text, undefined)]]), new Map());
  assert.deepEqual(
    diagnostics.map(({ position }) => position),
    [{ file: 'x.yaml', line: 11, column: 21 }],
  );
});

test('kinds that are not read are passed over without a word', () => {
  const { held, diagnostics } = gather(
    new Map([['x.yaml', parseFile('x.yaml', 'apiVersion: apps/v1\nkind: Deployment\nspec: 7\n', undefined)]]),
    new Map(),
  );
  assert.equal(held.size, 0);
  assert.deepEqual(diagnostics, []);
});

test('positions count over all documents of a file', () => {
  const text = `${service('a')}---\n${service('b').replace('6379', '99999')}`;
  const { diagnostics } = gather(new Map([['x.yaml', parseFile('x.yaml', text, undefined)]]), new Map());
  assert.deepEqual(diagnostics[0]?.position, { file: 'x.yaml', line: 9, column: 17 });
});
