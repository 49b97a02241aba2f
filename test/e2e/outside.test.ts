import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { pino } from 'pino';

import { askAdmin } from '../../src/admin/ask-admin.ts';
import { startControlPlane, type ControlPlane } from '../../src/commands/control-plane.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { createAuthority, validFor } from '../../src/tls/authority.ts';
import { type CertificateFiles, readCertificates } from '../../src/tls/certificate-files.ts';
import { writeCertificates } from '../../src/tls/certificate-folder.ts';
import { getResources, type NodeStatus, XdsClient } from '../../src/xds/index.ts';
import { spiffe, writeFiles } from '../tls/certificates.ts';
import { redpilot } from './command-line.ts';

const OBJECT = `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: { name: cache, namespace: shop }
spec:
  host: [cache.example]
  settings: { auth: { plain: { password: hunter2 } } }
  redis: [{ route: { host: cache.example } }]
`;

const LOCAL = { host: '127.0.0.1', port: 0 };

let folder: string;
let controlPlane: ControlPlane;
const closing: (() => unknown)[] = [];

function files(name: string): CertificateFiles {
  const [ca = '', cert = '', key = ''] = ['ca.crt', 'tls.crt', 'tls.key'].map((file) =>
    join(folder, name, file),
  );
  return { ca, cert, key };
}

function flags({ ca, cert, key }: CertificateFiles): string[] {
  return ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key];
}

const admin = (): { host: string; port: number } => addressOf(controlPlane.adminAddress);

function addressOf(address: string): { host: string; port: number } {
  const [host = '', port = ''] = address.split(':');
  return { host, port: Number(port) };
}

before(async () => {
  folder = await temporaryFolder('outside');
  await writeCertificates(folder, {
    serverHosts: ['127.0.0.1'],
    namespaces: ['shop', 'pay'],
    trustDomain: 'cluster.local',
    caValidity: validFor(2),
    validity: validFor(1),
    force: false,
  });
  await writeFile(join(folder, 'objects.yaml'), OBJECT);
  controlPlane = await startControlPlane({
    configPaths: [join(folder, 'objects.yaml')],
    xdsAddress: LOCAL,
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe: false,
    tls: files('server'),
    adminTls: files('server'),
    log: pino({ level: 'silent' }),
  });
  closing.push(() => controlPlane.close());
});
after(async () => {
  for (const close of closing.reverse()) await close();
  await removeFolder(folder);
});

async function get(namespace: string, ...more: string[]): ReturnType<typeof redpilot> {
  const place = ['--xds-address', controlPlane.xdsAddress, ...flags(files(`clients/${namespace}`))];
  return await redpilot(['xds', 'get', ...place, '--type', 'listeners', ...more]);
}

test('xds get prints the resources of the namespace, without secrets unless it is told to', async () => {
  const shown = await get('shop');
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, /name: cache\.example:6379\n/);
  assert.match(shown.stdout, /inline_string: "\[redacted\]"/);
  assert.doesNotMatch(shown.stdout, /hunter2/);
  const { stdout } = await get('shop', '--show-secrets', '--delta', '-o', 'json');
  assert.match(stdout, /"inline_string":"hunter2"/);
});

test('xds get with the certificate of another namespace sees nothing of it', async () => {
  const other = await get('pay', '-o', 'json');
  assert.equal(other.status, 0, other.stderr);
  assert.match(other.stdout, /^\{"version":"\w*","resources":\[\]\}\n$/);
  const claimed = await get('pay', '--namespace', 'shop');
  assert.equal(claimed.status, 1);
  assert.equal(claimed.stdout, '');
  assert.match(
    claimed.stderr,
    /^redpilot: xDS at [\d.:]+: PERMISSION_DENIED: the node names the namespace "shop"[^\n]*\n$/,
  );
});

test('status shows who is connected, and ends with 1 while one refuses something', async () => {
  const options = ['status', '--admin-address', controlPlane.adminAddress, ...flags(files('clients/pay'))];
  const nobody = await redpilot(options);
  assert.deepEqual([nobody.status, nobody.stdout], [0, 'no nodes are connected\n']);
  const client = new XdsClient({
    address: addressOf(controlPlane.xdsAddress),
    tls: await readCertificates(files('clients/shop')),
    variant: 'delta',
    node: { id: 'app-1', namespace: undefined },
  });
  closing.push(() => client.close());
  const responses = getResources(client, LISTENER_TYPE, { names: [], refusal: 'port taken', watch: true });
  await responses.next();
  const status = async (): Promise<readonly NodeStatus[]> =>
    JSON.parse(await askAdmin(admin(), '/debug/syncz', files('clients/pay'))) as readonly NodeStatus[];
  await eventually('rejected', async () => {
    const [node] = await status();
    return node?.types[0]?.state === 'REJECTED' ? true : undefined;
  });
  const refused = await redpilot(options);
  assert.equal(refused.status, 1);
  assert.match(refused.stdout, /^app-1 +shop +- +- +- +REJECTED +127\.0\.0\.1:\d+$/m);
  assert.match(refused.stdout, /^app-1: listeners rejected: port taken$/m);
  const asJson = JSON.parse((await redpilot([...options, '-o', 'json'])).stdout) as readonly NodeStatus[];
  assert.deepEqual(
    asJson.map(({ node, namespace, types }) => [node, namespace, types[0]?.type, types[0]?.reason]),
    [['app-1', 'shop', 'listeners', 'port taken']],
  );
});

test('an admin with TLS is for clients with a certificate, and a status without one says what is missing', async () => {
  const withoutTls = await redpilot(['status', '--admin-address', controlPlane.adminAddress]);
  assert.equal(withoutTls.status, 1);
  assert.match(
    withoutTls.stderr,
    /^redpilot: the admin at 127\.0\.0\.1:\d+ can't be asked: .*needs --tls-ca[^\n]*\n$/,
  );
  const foreign = await createAuthority(validFor(1));
  const pair = await foreign.issueClient(spiffe('shop'), validFor(1));
  const theirs = await writeFiles(join(folder, 'foreign'), await readFile(files('server').ca, 'utf8'), pair);
  await assert.rejects(askAdmin(admin(), '/healthz', theirs), /can't be asked/);
  assert.equal(await askAdmin(admin(), '/healthz', files('clients/shop')), 'ok\n');
});

test('builds and diagnostics are counted', async () => {
  const metrics = await askAdmin(admin(), '/metrics', files('clients/shop'));
  assert.match(metrics, /^redpilot_build_seconds_count [1-9]/m);
  assert.match(metrics, /^redpilot_diagnostics\{severity="error"\} 0$/m);
  assert.match(metrics, /^redpilot_diagnostics\{severity="warning"\} \d+$/m);
});
