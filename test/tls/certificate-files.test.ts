import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { type Authority, createAuthority, type KeyPair } from '../../src/tls/authority.ts';
import { type CertificateFiles, readCertificates } from '../../src/tls/certificate-files.ts';
import { watchCertificates } from '../../src/tls/watch.ts';
import { mountSecret, spiffe, validForSeconds, writeFiles } from './certificates.ts';

interface Place {
  readonly folder: string;
  readonly authority: Authority;
  readonly files: CertificateFiles;
}

async function place(t: TestContext, seconds = 3_600): Promise<Place> {
  const folder = await temporaryFolder('tls');
  t.after(() => removeFolder(folder));
  const authority = await createAuthority(validForSeconds(3_600));
  const pair = await authority.issueClient(spiffe('shop'), validForSeconds(seconds));
  return { folder, authority, files: await writeFiles(folder, authority.certificate, pair) };
}

test('good files are read', async (t) => {
  const { files } = await place(t);
  assert.equal((await readCertificates(files)).names, `URI:${spiffe('shop')}`);
});

const faults: [what: string, spoil: (place: Place) => Promise<CertificateFiles>, expected: RegExp][] = [
  [
    'a missing file',
    async ({ files }) => ({ ...files, ca: '/nowhere/ca.crt' }),
    /^--tls-ca \/nowhere\/ca\.crt: there is no such file; give the path of a PEM file$/,
  ],
  [
    'a folder',
    async ({ files, folder }) => ({ ...files, key: folder }),
    /^--tls-key .*: it can't be read \(EISDIR\); give the path of a PEM file$/,
  ],
  [
    'a key in place of a certificate',
    async ({ files }) => ({ ...files, cert: files.key }),
    /^--tls-cert .*tls\.key is not a certificate \(PEM\); give a file that is$/,
  ],
  [
    'a certificate in place of a key',
    async ({ files }) => ({ ...files, key: files.cert }),
    /^--tls-key .*tls\.crt is not a private key without a password \(PEM\); give a file that is$/,
  ],
  [
    'the key of another certificate',
    async ({ authority, files, folder }) => {
      const other = await authority.issueClient(spiffe('pay'), validForSeconds(60));
      const key = join(folder, 'other.key');
      await writeFile(key, other.key);
      return { ...files, key };
    },
    /^--tls-key .*other\.key is not the key of the certificate in --tls-cert .*tls\.crt; give two that were made together$/,
  ],
];
for (const [what, spoil, expected] of faults) {
  test(`${what} is one line that names flag and file, and nothing of the content`, async (t) => {
    const files = await spoil(await place(t));
    await assert.rejects(readCertificates(files), { message: expected });
  });
}

test('an expired certificate is refused', async (t) => {
  const { files } = await place(t, -1);
  await assert.rejects(readCertificates(files), { message: /^--tls-cert .* has expired \(.*Z\); renew it$/ });
});

test('new files are reported; unusable ones once, and those before stay', async (t) => {
  const { files, folder, authority } = await place(t);
  const changes: string[] = [];
  const problems: string[] = [];
  const end = watchCertificates(files, await readCertificates(files), {
    everyMs: 5,
    onChange: ({ names }) => changes.push(names),
    onProblem: (problem) => problems.push(problem),
  });
  t.after(end);
  await writeFile(files.cert, 'half a certi');
  await eventually('the problem', () => problems[0]);
  assert.match(problems[0] ?? '', /is not a certificate/);
  assert.deepEqual(changes, []);
  const renewed = await authority.issueClient(spiffe('renewed'), validForSeconds(60));
  await writeFiles(folder, authority.certificate, renewed);
  await eventually('the change', () => changes[0]);
  assert.deepEqual(changes, [`URI:${spiffe('renewed')}`]);
  assert.equal(problems.length, 1);
});

test('a Secret that is mounted anew is noticed', async (t) => {
  const { folder, authority } = await place(t);
  const mount = join(folder, 'mount');
  const issue = async (name: string): Promise<KeyPair> =>
    authority.issueClient(spiffe(name), validForSeconds(60));
  await mountSecret(mount, authority.certificate, await issue('first'));
  const files = { ca: join(mount, 'ca.crt'), cert: join(mount, 'tls.crt'), key: join(mount, 'tls.key') };
  const changes: string[] = [];
  const end = watchCertificates(files, await readCertificates(files), {
    everyMs: 5,
    onChange: ({ names }) => changes.push(names),
    onProblem: () => {},
  });
  t.after(end);
  await mountSecret(mount, authority.certificate, await issue('second'));
  await eventually('the change', () => changes[0]);
  assert.deepEqual(changes, [`URI:${spiffe('second')}`]);
});
