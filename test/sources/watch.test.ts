import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { watchFiles } from '../../src/sources/files/watch.ts';
import { Followed, service } from './follow.ts';

const edits: [how: string, edit: (path: string, text: string) => Promise<void> | void][] = [
  ['written in place', (path, text) => writeFileSync(path, text)],
  [
    'written to a temporary file and renamed',
    (path, text) => {
      writeFileSync(`${path}~`, text);
      renameSync(`${path}~`, path);
    },
  ],
  [
    'removed and made anew',
    (path, text) => {
      unlinkSync(path);
      writeFileSync(path, text);
    },
  ],
  [
    'truncated and written in pieces',
    async (path, text) => {
      const file = openSync(path, 'w');
      for (let at = 0; at < text.length; at += 40) {
        await sleep(8);
        writeSync(file, text.slice(at, at + 40));
      }
      closeSync(file);
    },
  ],
];

for (const [how, edit] of edits) {
  test(`a file that is ${how} changes its object, which is never gone in between`, async (t) => {
    const followed = await Followed.start(t, (folder) =>
      writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
    );
    await edit(followed.path('a.yaml'), service('a', 'ANY'));
    await followed.becomes('the new policy', () => followed.policy('a') === 'ANY');
    assert.deepEqual(
      followed.reports.flatMap(({ deleted }) => deleted),
      [],
    );
    assert.deepEqual(followed.reasons(), []);
  });
}

test('a change is reported within 200 ms (median of nine)', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
  );
  const took: number[] = [];
  for (let round = 0; round < 9; round++) {
    const policy = round % 2 === 0 ? 'ANY' : 'REPLICA';
    const start = performance.now();
    writeFileSync(followed.path('a.yaml'), service('a', policy));
    await followed.becomes(policy, () => followed.policy('a') === policy);
    took.push(performance.now() - start);
  }
  const median = took.toSorted((a, b) => a - b)[4] ?? 0;
  t.diagnostic(`median ${Math.round(median)} ms`);
  assert.ok(median < 200, `${took.map(Math.round).join(', ')} ms`);
});

test('only what changed is reported, and the rest stays the same object', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/two.yaml`, `${service('a', 'MASTER')}---\n${service('b', 'MASTER')}`);
    writeFileSync(`${folder}/other.yaml`, service('c', 'MASTER'));
  });
  const [a, c] = [followed.object('a'), followed.object('c')];
  writeFileSync(followed.path('two.yaml'), `${service('a', 'MASTER')}---\n${service('b', 'ANY')}`);
  await followed.becomes('the change', () => followed.policy('b') === 'ANY');
  assert.deepEqual(
    followed.reports.at(-1)?.set.map(({ name }) => name),
    ['b'],
  );
  assert.equal(followed.object('a'), a);
  assert.equal(followed.object('c'), c);
});

test('a broken edit keeps the last good object and says where the mistake is', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
  );
  writeFileSync(followed.path('a.yaml'), service('a', 'REPLICAS'));
  await followed.becomes('a Diagnostic', () => followed.reasons().includes('LastGoodKept'));
  assert.equal(followed.policy('a'), 'MASTER');
  const mistake = followed.diagnostics.find(({ reason }) => reason === 'InvalidValue');
  assert.deepEqual(mistake?.position, { file: followed.path('a.yaml'), line: 9, column: 5 });

  writeFileSync(followed.path('a.yaml'), service('a', 'ANY'));
  await followed.becomes('the mended policy', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
});

test('a file that is no YAML any more keeps all that it held; its other documents may still change', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/two.yaml`, `${service('a', 'MASTER')}---\n${service('b', 'MASTER')}`),
  );
  writeFileSync(followed.path('two.yaml'), `${service('a', 'ANY')}---\nkind: [`);
  await followed.becomes('the change of the good one', () => followed.policy('a') === 'ANY');
  assert.equal(followed.policy('b'), 'MASTER');
  assert.deepEqual(followed.reasons().toSorted(), ['LastGoodKept', 'SyntaxError']);
});

test('an object that was never good is not there, and does not keep the others out', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/a.yaml`, service('a', 'NOWHERE'));
    writeFileSync(`${folder}/b.yaml`, service('b', 'ANY'));
  });
  assert.equal(followed.object('a'), undefined);
  assert.equal(followed.policy('b'), 'ANY');
});

test('a deleted file deletes its objects', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
  );
  rmSync(followed.path('a.yaml'));
  await followed.becomes('the deletion', () => followed.object('a') === undefined);
});

test('a document taken out of its file is deleted', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/two.yaml`, `${service('a', 'MASTER')}---\n${service('b', 'MASTER')}`),
  );
  writeFileSync(followed.path('two.yaml'), service('a', 'MASTER'));
  await followed.becomes('the deletion', () => followed.object('b') === undefined);
  assert.equal(followed.policy('a'), 'MASTER');
});

test('files and folders made later are read too; other extensions are not', async (t) => {
  const followed = await Followed.start(t, () => {});
  mkdirSync(followed.path('deep/er'), { recursive: true });
  writeFileSync(followed.path('deep/er/a.yml'), service('a', 'ANY'));
  writeFileSync(followed.path('deep/b.txt'), service('b', 'ANY'));
  writeFileSync(
    followed.path('c.json'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'c' },
      spec: { ports: [{ port: 6379 }] },
    }),
  );
  await followed.becomes(
    'both',
    () => followed.policy('a') === 'ANY' && followed.object('c', 'Service') !== undefined,
  );
  assert.equal(followed.object('b'), undefined);
});

test("a mounted ConfigMap's swap of its hidden link is one change, and each file is read once", async (t) => {
  const followed = await Followed.start(t, (folder) => {
    mkdirSync(`${folder}/..one`);
    writeFileSync(`${folder}/..one/a.yaml`, service('a', 'MASTER'));
    symlinkSync('..one', `${folder}/..data`);
    symlinkSync('..data/a.yaml', `${folder}/a.yaml`);
  });
  assert.equal(followed.policy('a'), 'MASTER');
  assert.deepEqual(followed.reasons(), []);
  mkdirSync(followed.path('..two'));
  writeFileSync(followed.path('..two/a.yaml'), service('a', 'ANY'));
  symlinkSync('..two', followed.path('..data_tmp'));
  renameSync(followed.path('..data_tmp'), followed.path('..data'));
  await followed.becomes('the new policy', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
});

test('of two objects of one name the later file is told of the first, and takes over when that goes', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/1.yaml`, service('a', 'MASTER'));
    writeFileSync(`${folder}/2.yaml`, service('a', 'ANY'));
  });
  assert.equal(followed.policy('a'), 'MASTER');
  assert.match(followed.diagnostics[0]?.message ?? '', /already there in .*1\.yaml:1/);
  rmSync(followed.path('1.yaml'));
  await followed.becomes('the second', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
});

test('a path that is not there is one line that names it', async () => {
  const watching = watchFiles(['/nowhere/at/all'], { onChange: () => {}, log: { error: () => {} } });
  await assert.rejects(
    watching,
    /^Error: \/nowhere\/at\/all: there is no such file or folder; give the path/,
  );
});

const replaced: [what: string, prepare: (folder: string) => void, replace: (folder: string) => void][] = [
  [
    'a link to another folder',
    (folder) => {
      for (const [name, policy] of Object.entries({ one: 'MASTER', two: 'ANY' })) {
        mkdirSync(`${folder}/${name}`);
        writeFileSync(`${folder}/${name}/a.yaml`, service('a', policy));
      }
      symlinkSync('one', `${folder}/given`);
    },
    (folder) => {
      symlinkSync('two', `${folder}/next`);
      renameSync(`${folder}/next`, `${folder}/given`);
    },
  ],
  [
    'a folder that is made anew',
    (folder) => {
      mkdirSync(`${folder}/given`);
      writeFileSync(`${folder}/given/a.yaml`, service('a', 'MASTER'));
    },
    (folder) => {
      mkdirSync(`${folder}/next`);
      writeFileSync(`${folder}/next/a.yaml`, service('a', 'ANY'));
      rmSync(`${folder}/given`, { recursive: true });
      renameSync(`${folder}/next`, `${folder}/given`);
    },
  ],
];

for (const [what, prepare, replace] of replaced) {
  test(`a given path may be replaced by ${what}, and is followed there`, async (t) => {
    const followed = await Followed.start(t, prepare, 'given');
    assert.equal(followed.policy('a'), 'MASTER');
    replace(followed.folder);
    await followed.becomes('the other policy', () => followed.policy('a') === 'ANY');
    writeFileSync(followed.path('given/a.yaml'), service('a', 'REPLICA'));
    await followed.becomes('an edit there', () => followed.policy('a') === 'REPLICA');
    assert.deepEqual(
      followed.reports.flatMap(({ deleted }) => deleted),
      [],
    );
    assert.deepEqual(followed.reasons(), []);
  });
}

for (const given of ['a.yaml', 'folder']) {
  test(`a given ${given} that goes keeps what was read of it, says so, and is followed when it is back`, async (t) => {
    const file = given === 'folder' ? 'folder/a.yaml' : 'a.yaml';
    const prepare = (folder: string): void => {
      mkdirSync(`${folder}/folder`, { recursive: true });
      writeFileSync(`${folder}/${file}`, service('a', 'MASTER'));
    };
    const followed = await Followed.start(t, prepare, given);
    rmSync(followed.path(given), { recursive: true });
    await followed.becomes('a Diagnostic', () => followed.diagnostics.length > 0);
    assert.equal(followed.policy('a'), 'MASTER');
    assert.deepEqual(
      followed.diagnostics.map(({ severity, position, message }) => [severity, position?.file, message]),
      [
        [
          'error',
          followed.path(given),
          'there is no such file or folder; what was last read of it stays in force until it is there',
        ],
      ],
    );
    prepare(followed.folder);
    writeFileSync(followed.path(file), service('a', 'ANY'));
    await followed.becomes('the new policy', () => followed.policy('a') === 'ANY');
    assert.deepEqual(followed.reasons(), []);
  });
}

const mistakes: [what: string, text: string][] = [
  ['a wrong value', service('a', 'NOWHERE')],
  ['a text that is no YAML', 'kind: ['],
  ['an alias without an anchor', service('a', '*policy')],
];

for (const [what, text] of mistakes) {
  test(`${what} in the first of two objects of one name does not bring the second into force`, async (t) => {
    const followed = await Followed.start(t, (folder) => {
      writeFileSync(`${folder}/1.yaml`, service('a', 'MASTER'));
      writeFileSync(`${folder}/2.yaml`, service('a', 'ANY'));
    });
    writeFileSync(followed.path('1.yaml'), text);
    await followed.becomes('a Diagnostic', () => followed.reasons().includes('LastGoodKept'));
    assert.equal(followed.policy('a'), 'MASTER');
    assert.ok(followed.reasons().includes('Duplicate'));
    const kept = followed.diagnostics.find(({ reason }) => reason === 'LastGoodKept');
    assert.equal(kept?.position?.file, followed.path('1.yaml'));
  });

  test(`${what} in one file does not keep another from being followed`, async (t) => {
    const followed = await Followed.start(t, (folder) => {
      writeFileSync(`${folder}/1.yaml`, text);
      writeFileSync(`${folder}/2.yaml`, service('b', 'MASTER'));
    });
    assert.equal(followed.policy('b'), 'MASTER');
    writeFileSync(followed.path('2.yaml'), service('b', 'ANY'));
    await followed.becomes('the edit', () => followed.policy('b') === 'ANY');
  });
}

test('what is written while the files are first read is not lost, and nothing older comes after it', async (t) => {
  for (let round = 0; round < 5; round++) {
    let edits = 0;
    const followed = await Followed.start(t, (folder) => {
      for (let file = 0; file < 50; file++)
        writeFileSync(`${folder}/${file}.yaml`, service(`a${file}`, 'MASTER'));
      const write = (): void => {
        writeFileSync(`${folder}/25.yaml`, service('a25', edits === 11 ? 'ANY' : 'REPLICA'));
        edits++;
        if (edits < 12) setTimeout(write, 3);
      };
      setTimeout(write, round * 2);
    });
    await followed.becomes('the last edit', () => edits === 12 && followed.policy('a25') === 'ANY');
    assert.deepEqual(
      followed.reports.flatMap(({ deleted }) => deleted),
      [],
    );
  }
});

test('files beside the objects, as editors make them, are no reason to report anything', async (t) => {
  const followed = await Followed.start(t, (folder) =>
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER')),
  );
  for (const name of ['4913', 'a.yaml~', '.a.yaml.swp', 'notes.txt']) {
    writeFileSync(followed.path(name), 'x');
    rmSync(followed.path(name));
  }
  writeFileSync(followed.path('a.yaml'), service('a', 'ANY'));
  await followed.becomes('the edit', () => followed.policy('a') === 'ANY');
  assert.equal(followed.reports.length, 2);
});
