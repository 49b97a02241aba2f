import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { watchFiles } from '../../src/sources/files/watch.ts';
import { Followed, service } from './follow.ts';

type Replace = (folder: string, text: string, time: number) => void;

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
    const followed = await Followed.start(t, prepare, { given: 'given' });
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

/** Each leads to a.yaml by way of what is replaced, again and again, where no folder that holds the path is told of it. */
const farAway: [what: string, given: string, prepare: (folder: string) => void, replace: Replace][] = [
  [
    'of a mounted ConfigMap',
    'a.yaml',
    (folder) => {
      mkdirSync(`${folder}/..0`);
      writeFileSync(`${folder}/..0/a.yaml`, service('a', 'MASTER'));
      symlinkSync('..0', `${folder}/..data`);
      symlinkSync('..data/a.yaml', `${folder}/a.yaml`);
    },
    (folder, text, time) => {
      mkdirSync(`${folder}/..${time}`);
      writeFileSync(`${folder}/..${time}/a.yaml`, text);
      symlinkSync(`..${time}`, `${folder}/..data_tmp`);
      renameSync(`${folder}/..data_tmp`, `${folder}/..data`);
      rmSync(`${folder}/..${time - 1}`, { recursive: true });
    },
  ],
  [
    'in a release that a link further up leads to',
    'current/objects',
    (folder) => {
      mkdirSync(`${folder}/0/objects`, { recursive: true });
      writeFileSync(`${folder}/0/objects/a.yaml`, service('a', 'MASTER'));
      symlinkSync('0', `${folder}/current`);
    },
    (folder, text, time) => {
      mkdirSync(`${folder}/${time}/objects`, { recursive: true });
      writeFileSync(`${folder}/${time}/objects/a.yaml`, text);
      symlinkSync(String(time), `${folder}/next`);
      renameSync(`${folder}/next`, `${folder}/current`);
    },
  ],
  [
    'that a link in the folder leads to',
    'given',
    (folder) => {
      mkdirSync(`${folder}/given`);
      writeFileSync(`${folder}/given/b.yaml`, service('b', 'MASTER'));
      writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER'));
      symlinkSync('../a.yaml', `${folder}/given/a.yaml`);
    },
    (folder, text) => {
      writeFileSync(`${folder}/next`, text);
      renameSync(`${folder}/next`, `${folder}/a.yaml`);
    },
  ],
  [
    'that a link made later leads to',
    'given',
    (folder) => {
      mkdirSync(`${folder}/given`);
      writeFileSync(`${folder}/given/a.yaml`, service('a', 'MASTER'));
    },
    (folder, text, time) => {
      writeFileSync(`${folder}/next`, text);
      renameSync(`${folder}/next`, `${folder}/a.yaml`);
      if (time > 1) return;
      rmSync(`${folder}/given/a.yaml`);
      symlinkSync('../a.yaml', `${folder}/given/a.yaml`);
    },
  ],
];

for (const [what, given, prepare, replace] of farAway) {
  test(`a file ${what} is followed however often it is replaced`, async (t) => {
    const followed = await Followed.start(t, prepare, { given });
    for (const [index, policy] of ['ANY', 'REPLICA', 'PREFER_MASTER'].entries()) {
      replace(followed.folder, service('a', policy), index + 1);
      await followed.becomes(policy, () => followed.policy('a') === policy);
    }
  });
}

for (const given of ['a.yaml', 'folder']) {
  test(`a given ${given} that goes keeps what was read of it, says so, and is followed when it is back`, async (t) => {
    const file = given === 'folder' ? 'folder/a.yaml' : 'a.yaml';
    const prepare = (folder: string): void => {
      mkdirSync(`${folder}/folder`, { recursive: true });
      writeFileSync(`${folder}/${file}`, service('a', 'MASTER'));
    };
    const followed = await Followed.start(t, prepare, { given });
    rmSync(followed.path(given), { recursive: true });
    await followed.becomes('a Diagnostic', () => followed.diagnostics.length > 0);
    assert.equal(followed.policy('a'), 'MASTER');
    assert.deepEqual(
      followed.diagnostics.map(({ severity, position, message }) => [severity, position?.file, message]),
      [
        [
          'error',
          followed.path(given),
          'there is no such file or folder; put it back, what was last read of it stays in force until then',
        ],
      ],
    );
    prepare(followed.folder);
    writeFileSync(followed.path(file), service('a', 'ANY'));
    await followed.becomes('the new policy', () => followed.policy('a') === 'ANY');
    assert.deepEqual(followed.reasons(), []);
  });
}

test('a link that the system will not follow is told, and the files beside it are followed', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER'));
    symlinkSync('x'.repeat(300), `${folder}/b.yaml`);
  });
  const told = (): readonly string[] => followed.diagnostics.map(({ message }) => message);
  assert.match(told()[0] ?? '', /^it can't be read \(ENAMETOOLONG\); /);
  writeFileSync(followed.path('a.yaml'), service('a', 'ANY'));
  await followed.becomes('the edit', () => followed.policy('a') === 'ANY');
  assert.equal(told().length, 1);
  unlinkSync(followed.path('b.yaml'));
  writeFileSync(followed.path('b.yaml'), service('b', 'ANY'));
  await followed.becomes('the other', () => followed.policy('b') === 'ANY');
  assert.deepEqual(told(), []);
});

test('a link in the folder that leads nowhere is told; what was read there stays, and is followed when it is back', async (t) => {
  const followed = await Followed.start(
    t,
    (folder) => {
      mkdirSync(`${folder}/elsewhere`);
      mkdirSync(`${folder}/given`);
      writeFileSync(`${folder}/elsewhere/a.yaml`, service('a', 'MASTER'));
      writeFileSync(`${folder}/given/b.yaml`, service('b', 'MASTER'));
      symlinkSync('../elsewhere/a.yaml', `${folder}/given/a.yaml`);
    },
    { given: 'given' },
  );
  assert.equal(followed.policy('a'), 'MASTER');
  unlinkSync(followed.path('elsewhere/a.yaml'));
  await followed.becomes('a Diagnostic', () => followed.diagnostics.length > 0);
  const [told] = followed.diagnostics;
  assert.equal(told?.position?.file, followed.path('given/a.yaml'));
  assert.match(told.message, /^it is a link that leads nowhere; put back what it led to, or remove it, /);
  assert.equal(followed.policy('a'), 'MASTER');
  writeFileSync(followed.path('given/b.yaml'), service('b', 'ANY'));
  await followed.becomes('an edit beside it', () => followed.policy('b') === 'ANY');

  writeFileSync(followed.path('elsewhere/a.yaml'), service('a', 'ANY'));
  await followed.becomes('what is there now', () => followed.policy('a') === 'ANY');
  assert.deepEqual(followed.reasons(), []);
  writeFileSync(followed.path('elsewhere/a.yaml'), service('a', 'REPLICA'));
  await followed.becomes('an edit there', () => followed.policy('a') === 'REPLICA');
});

test('a link that leads nowhere at the start is told, and costs nobody else', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER'));
    symlinkSync('nowhere.yaml', `${folder}/b.yaml`);
    symlinkSync('nowhere', `${folder}/team`);
    // No objects could be behind these: Emacs' note of who edits a file, and some other file.
    symlinkSync('somebody@somewhere.1:2', `${folder}/.#a.yaml`);
    symlinkSync('nowhere', `${folder}/README.md`);
  });
  assert.equal(followed.policy('a'), 'MASTER');
  assert.deepEqual(
    followed.diagnostics.map(({ severity, position }) => [severity, position?.file]),
    [
      ['error', followed.path('b.yaml')],
      ['error', followed.path('team')],
    ],
  );
  unlinkSync(followed.path('b.yaml'));
  unlinkSync(followed.path('team'));
  await followed.becomes('silence', () => followed.diagnostics.length === 0);
});

test('a path that is not there is one line that names it', async () => {
  const watching = watchFiles(['/nowhere/at/all'], { onChange: () => {}, log: { error: () => {} } });
  await assert.rejects(
    watching,
    /^Error: \/nowhere\/at\/all: there is no such file or folder; give the path/,
  );
});

test('a pipe can not be followed, and is refused in one line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-files-'));
  try {
    execFileSync('mkfifo', [`${folder}/pipe`]);
    const watching = watchFiles([`${folder}/pipe`], { onChange: () => {}, log: { error: () => {} } });
    await assert.rejects(watching, {
      message: `${folder}/pipe: it is a pipe, a socket or a device; give the path of a YAML or JSON file, or of a folder of them`,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a file that a pipe takes the place of is as good as gone; the others are followed on', async (t) => {
  const followed = await Followed.start(t, (folder) => {
    writeFileSync(`${folder}/a.yaml`, service('a', 'MASTER'));
    writeFileSync(`${folder}/b.yaml`, service('b', 'MASTER'));
  });
  rmSync(followed.path('b.yaml'));
  execFileSync('mkfifo', [followed.path('b.yaml')]);
  writeFileSync(followed.path('a.yaml'), service('a', 'ANY'));
  await followed.becomes('the edit', () => followed.policy('a') === 'ANY');
});
