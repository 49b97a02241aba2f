import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { parseFile } from '../../src/sources/files/documents.ts';
import { gather } from '../../src/sources/files/gather.ts';
import { readFiles } from '../../src/sources/files/read.ts';

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

test('files that begin with a byte order mark can be joined', () => {
  const texts = [service('a'), `---\n${service('b')}`, `---\n${service('c')}`];
  assert.deepEqual(objectsOf(texts.map((text) => `\ufeff${text}`).join('')), [
    'Service/default/a',
    'Service/default/b',
    'Service/default/c',
  ]);
});

for (const stray of [']', '}', '] ', '}}']) {
  test(`what stands at the beginning of a document by mistake costs none but that: ${stray}`, () => {
    const text = `${service('a')}---\n${stray}${service('b')}---\n${service('c')}`;
    assert.deepEqual(objectsOf(text), ['Service/default/a', 'Service/default/c']);
  });
}

test('however much stands there, it costs none but that', () => {
  const text = `${service('a')}---\n${']'.repeat(150_000)}${service('b')}---\n${service('c')}`;
  assert.deepEqual(objectsOf(text), ['Service/default/a', 'Service/default/c']);
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

const spellings: [how: string, text: string][] = [
  ['JSON', JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } })],
  [
    'JSON with tabs',
    JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } }, null, '\t'),
  ],
  ['YAML with a byte order mark', `\ufeff${service('a')}`],
  ['YAML with line ends of Windows', service('a').replaceAll('\n', '\r\n')],
  ['YAML among empty documents', `---\n---\n# nothing\n---\n${service('a')}...\n`],
  ['YAML with merged fields', 'apiVersion: v1\nkind: Service\nmetadata:\n  <<: {name: a}\n'],
];

for (const [how, text] of spellings) {
  test(`an object is read from ${how}`, () => assert.deepEqual(objectsOf(text), ['Service/default/a']));
}

test('a place is the same whether it is asked for at once or later', async () => {
  const text = `# a comment\n---\n${service('a')}---\n# another\n${service('b')}...\n---\n${service('c')}`;
  const { documents } = parseFile('x.yaml', text, undefined);
  const places = (): unknown[] =>
    documents.flatMap(({ outcomes }) =>
      outcomes.map(
        (outcome) => outcome.kind === 'object' && outcome.object.locate(['spec', 'ports', 0, 'port'])?.line,
      ),
    );
  assert.deepEqual(places(), [6, 12, 18]);
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(places(), [6, 12, 18]);
});

test('a document that stays where it was is the same object, whatever is said of those after it', () => {
  const before = parseFile('x.yaml', `${service('a')}---\n${service('b')}`, undefined);
  const after = parseFile('x.yaml', `${service('a')}---\n${service('c')}`, before);
  assert.equal(after.documents[0], before.documents[0]);
  assert.notEqual(after.documents[1], before.documents[1]);
});

test('a file that is named twice holds its objects once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/a.yaml`, service('a'));
  symlinkSync('.', `${folder}/around`);
  const { objects, diagnostics } = await readFiles([folder, `${folder}/a.yaml`, `${folder}/./a.yaml`]);
  assert.deepEqual(
    objects.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(diagnostics, []);
});

for (const [what, bytes] of [
  ['in UTF-16', Buffer.from(`\uFEFF${service('a')}`, 'utf16le')],
  ['that is no text', Buffer.from([0xff, 0x00, 0x80])],
] as const)
  test(`a file ${what} is told as such, and costs no other`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(`${folder}/a.yaml`, bytes);
    writeFileSync(`${folder}/b.yaml`, service('b'));
    const { objects, diagnostics } = await readFiles([folder]);
    assert.deepEqual(
      objects.map(({ name }) => name),
      ['b'],
    );
    assert.match(diagnostics[0]?.message ?? '', /^it is no text in UTF-8; save it as that$/);
  });

test('a file that is too large is not read, and costs no other', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/a.yaml`, `${service('a')}#`);
  truncateSync(`${folder}/a.yaml`, 16 * 1_048_576 + 1);
  writeFileSync(`${folder}/b.yaml`, service('b'));
  const { objects, diagnostics } = await readFiles([folder]);
  assert.deepEqual(
    objects.map(({ name }) => name),
    ['b'],
  );
  assert.match(diagnostics[0]?.message ?? '', /^it is larger than 16 MiB; split it$/);
});

test('a pipe among the files of a folder is passed over: nobody may ever write to it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/a.yaml`, service('a'));
  execFileSync('mkfifo', [`${folder}/b.yaml`]);
  const { objects, diagnostics } = await readFiles([folder]);
  assert.deepEqual(
    objects.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(diagnostics, []);
});

test('a pipe that is named is read, as the shell gives the output of a command', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync('mkfifo', [`${folder}/pipe`]);
  const written = writeFile(`${folder}/pipe`, service('a'));
  const { objects } = await readFiles([`${folder}/pipe`]);
  await written;
  assert.deepEqual(
    objects.map(({ name }) => name),
    ['a'],
  );
});

test('what has no end is not read to it', { timeout: 30_000 }, async () => {
  const { objects, diagnostics } = await readFiles(['/dev/zero']);
  assert.deepEqual(objects, []);
  assert.match(diagnostics[0]?.message ?? '', /^it is larger than 16 MiB; split it$/);
});

test('a file is named in one line, whatever its name is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/a\n\u001b[31mb.yaml`, '[]');
  const { diagnostics } = await readFiles([folder]);
  assert.deepEqual(diagnostics.map(formatDiagnosticLine), [
    `${folder}/a\\n\\u{1b}[31mb.yaml:1:1: error SyntaxError: a list is no object; write apiVersion, kind, metadata and spec`,
  ]);
});

for (const name of ['\xff.yaml', '\xff'])
  test(`what has a name in Latin-1 is told, and costs no other: ${encodeURIComponent(name)}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(`${folder}/b.yaml`, service('b'));
    const path = Buffer.from(`${folder}/${name}`, 'latin1');
    if (name.endsWith('.yaml')) writeFileSync(path, service('a'));
    else mkdirSync(path);
    const { objects, diagnostics } = await readFiles([folder]);
    assert.equal(objects.length, 1);
    assert.deepEqual(
      diagnostics.map(({ message }) => message),
      ['its name is not UTF-8; rename it'],
    );
  });

test('lists in lists without end are told, and cost no other document', () => {
  const text = `${service('a')}---\n${'['.repeat(20_000)}${']'.repeat(20_000)}\n`;
  const { held, diagnostics } = gather(
    new Map([['x.yaml', parseFile('x.yaml', text, undefined)]]),
    new Map(),
  );
  assert.equal(held.size, 1);
  assert.deepEqual(
    diagnostics.map(({ message }) => message),
    ['lists or maps stand in each other too deep; write them flatter'],
  );
});
