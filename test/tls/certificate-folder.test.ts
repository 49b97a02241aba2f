import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { validFor } from '../../src/tls/authority.ts';
import { serverHostsIn, writeCertificates, type Wanted } from '../../src/tls/certificate-folder.ts';
import { namespaceOf } from '../../src/tls/identity.ts';
import { validForSeconds } from './certificates.ts';

const WANTED: Wanted = {
  serverHosts: ['redpilot.redpilot.svc', '127.0.0.1'],
  namespaces: ['shop'],
  trustDomain: 'cluster.local',
  caValidity: validFor(10),
  validity: validFor(1),
  force: false,
};

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder('certs');
  t.after(() => removeFolder(folder));
  return folder;
}

function contents(folder: string): Readonly<Record<string, string>> {
  const files = globSync('**/*.{crt,key}', { cwd: folder }).toSorted();
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}

function certificate(...path: string[]): X509Certificate {
  return new X509Certificate(readFileSync(join(...path)));
}

test('everything is written once: authority, server, a folder a namespace; keys for the owner only', async (t) => {
  const folder = await emptyFolder(t);
  const made = await writeCertificates(folder, { ...WANTED, namespaces: ['shop', 'pay'] });
  assert.equal(made.length, 4);
  assert.deepEqual(Object.keys(contents(folder)), [
    'ca.crt',
    'ca.key',
    ...['clients/pay', 'clients/shop', 'server'].flatMap((name) =>
      ['ca.crt', 'tls.crt', 'tls.key'].map((file) => `${name}/${file}`),
    ),
  ]);
  for (const key of globSync('**/*.key', { cwd: folder }))
    assert.equal(statSync(join(folder, key)).mode & 0o777, 0o600, key);
});

test('the certificates are from the authority, and say what they are for', async (t) => {
  const folder = await emptyFolder(t);
  await writeCertificates(folder, WANTED);
  const ca = certificate(folder, 'ca.crt');
  const server = certificate(folder, 'server', 'tls.crt');
  const client = certificate(folder, 'clients', 'shop', 'tls.crt');
  assert.ok(ca.ca && server.checkIssued(ca) && client.checkIssued(ca));
  assert.ok(server.verify(ca.publicKey) && client.verify(ca.publicKey));
  assert.equal(server.subjectAltName, 'DNS:redpilot.redpilot.svc, IP Address:127.0.0.1');
  assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.deepEqual(client.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.equal(namespaceOf(client.subjectAltName, 'cluster.local').namespace, 'shop');
});

test('a certificate that is there is not overwritten, and nothing else is written either', async (t) => {
  const folder = await emptyFolder(t);
  await writeCertificates(folder, WANTED);
  const before = contents(folder);
  await assert.rejects(writeCertificates(folder, { ...WANTED, namespaces: ['pay', 'shop'] }), {
    message: `${join(folder, 'clients/shop')}: there is a certificate already; --force makes it anew`,
  });
  assert.deepEqual(contents(folder), before);
});

test('a further namespace gets its certificate from the authority that is there', async (t) => {
  const folder = await emptyFolder(t);
  await writeCertificates(folder, WANTED);
  const before = contents(folder);
  const made = await writeCertificates(folder, { ...WANTED, namespaces: ['pay'] });
  assert.deepEqual(
    made.map(({ path }) => path),
    [join(folder, 'clients', 'pay')],
  );
  const after = contents(folder);
  for (const [file, text] of Object.entries(before)) assert.equal(after[file], text, file);
  assert.ok(certificate(folder, 'clients', 'pay', 'tls.crt').verify(certificate(folder, 'ca.crt').publicKey));
});

test('--force makes certificates anew and keeps the authority', async (t) => {
  const folder = await emptyFolder(t);
  await writeCertificates(folder, WANTED);
  const before = contents(folder);
  await writeCertificates(folder, { ...WANTED, force: true });
  const after = contents(folder);
  const changed = Object.keys(before).filter((file) => before[file] !== after[file]);
  assert.deepEqual(changed, [
    'clients/shop/tls.crt',
    'clients/shop/tls.key',
    'server/tls.crt',
    'server/tls.key',
  ]);
});

test('half an authority, a foreign one and an expired one are refused with the file that is wrong', async (t) => {
  const folder = await emptyFolder(t);
  const [crt, key] = [join(folder, 'ca.crt'), join(folder, 'ca.key')];
  await writeCertificates(folder, { ...WANTED, caValidity: validForSeconds(-1) });
  const more = { ...WANTED, namespaces: ['pay'] };
  await assert.rejects(writeCertificates(folder, more), {
    message: /ca\.crt has expired \(.*\); give another folder/,
  });
  writeFileSync(crt, 'no certificate');
  await assert.rejects(writeCertificates(folder, more), {
    message: /are not an authority of ours; give another/,
  });
  const other = await emptyFolder(t);
  await writeCertificates(other, WANTED);
  writeFileSync(crt, readFileSync(join(other, 'ca.crt')));
  await assert.rejects(writeCertificates(folder, more), {
    message: /are not an authority of ours; give another/,
  });
  await rm(key);
  await assert.rejects(writeCertificates(folder, more), {
    message: `${crt} is there, but ${key} is not; put it back, or give another folder with --out`,
  });
});

test('a folder that can not be written is told in one line, with its path', async (t) => {
  const folder = await emptyFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(writeCertificates(file, WANTED), {
    message: `${file}: is no folder; give another folder with --out`,
  });
});

test('a folder where none can be made is told in one line, and at once', { timeout: 30_000 }, async () => {
  await assert.rejects(writeCertificates('/proc/redpilot/certs', WANTED), {
    message: "/proc/redpilot: can't be read or written (ENOENT); give another folder with --out",
  });
});

test('what the server is called is known for making its certificate anew', async (t) => {
  const folder = await emptyFolder(t);
  assert.equal(await serverHostsIn(folder), undefined);
  await writeCertificates(folder, { ...WANTED, serverHosts: ['redpilot.redpilot.svc', '::1'] });
  const again = await serverHostsIn(folder);
  await writeCertificates(folder, { ...WANTED, serverHosts: again ?? [], force: true });
  const { subjectAltName } = certificate(folder, 'server', 'tls.crt');
  assert.equal(subjectAltName, 'DNS:redpilot.redpilot.svc, IP Address:0:0:0:0:0:0:0:1');
  writeFileSync(join(folder, 'server', 'tls.crt'), 'no certificate');
  assert.equal(await serverHostsIn(folder), undefined);
});
