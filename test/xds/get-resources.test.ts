import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { encode } from '../../src/envoy/codec.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  TYPE_URLS,
  type TypeUrl,
} from '../../src/envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../../src/envoy/resource-set.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { readCertificates } from '../../src/tls/certificate-files.ts';
import { XdsClient } from '../../src/xds/client.ts';
import { getResources, type GetOptions, type ShownResponse } from '../../src/xds/get-resources.ts';
import { validForSeconds, writeFiles } from '../tls/certificates.ts';
import { SERVED, type Stage, stage, until } from './surroundings.ts';

const VARIANTS = ['state of the world', 'delta'] as const;
const ONCE: GetOptions = { names: [], refusal: undefined, watch: false };

function resource(typeUrl: TypeUrl, name: string, version: string, bytes: Buffer): Resource {
  return { typeUrl, name, version, bytes };
}

/** The listener's port is the version. */
function snapshot(version: number): Snapshot {
  const cluster = (name: string, type: 'EDS' | 'STATIC'): Resource =>
    resource(CLUSTER_TYPE, name, '1', encode('envoy.config.cluster.v3.Cluster', { name, type }));
  const endpoints = encode('envoy.config.endpoint.v3.ClusterLoadAssignment', { cluster_name: 'eds' });
  const address = { socket_address: { address: '127.0.0.1', port_value: version } };
  const listener = encode('envoy.config.listener.v3.Listener', { name: 'l', address });
  return new Map([
    [CLUSTER_TYPE, ResourceSet.of([cluster('eds', 'EDS'), cluster('static', 'STATIC')])],
    [ENDPOINTS_TYPE, ResourceSet.of([resource(ENDPOINTS_TYPE, 'eds', '1', endpoints)])],
    [LISTENER_TYPE, ResourceSet.of([resource(LISTENER_TYPE, 'l', String(version), listener)])],
  ]);
}

function client(here: Stage, variant: (typeof VARIANTS)[number], host = '127.0.0.1'): XdsClient {
  return new XdsClient({
    address: { host, port: Number(here.server.address.split(':')[1]) },
    tls: undefined,
    variant,
    node: { id: 'person', namespace: 'shop' },
  });
}

async function collect(responses: AsyncGenerator<ShownResponse>): Promise<readonly ShownResponse[]> {
  const all: ShownResponse[] = [];
  for await (const response of responses) all.push(response);
  return all;
}

const expected: Readonly<Record<TypeUrl, readonly string[]>> = {
  [CLUSTER_TYPE]: ['eds', 'static'],
  [ENDPOINTS_TYPE]: ['eds'],
  [LISTENER_TYPE]: ['l'],
};
for (const variant of VARIANTS) {
  for (const typeUrl of TYPE_URLS) {
    test(`${variant}: all of ${typeUrl.split('.').at(-1)} are got, decoded, and acknowledged`, async () => {
      await using here = await stage();
      here.source.setSnapshot(snapshot(1));
      const [response, ...more] = await collect(getResources(client(here, variant), typeUrl, ONCE));
      assert.deepEqual(more, []);
      assert.deepEqual(
        response?.resources.map(({ name }) => name),
        expected[typeUrl],
      );
      assert.equal(response?.resources[0]?.resource['@type'], typeUrl);
      await until(
        () => here.answers.at(-1)?.typeUrl === typeUrl,
        'acknowledged',
        () => here.answers,
      );
      assert.equal(here.answers.at(-1)?.outcome, 'accepted');
      assert.equal(here.source.nodes[0]?.metadata['redpilot.namespace'], 'shop');
    });
  }

  test(`${variant}: --nack refuses what came, in its words`, async () => {
    await using here = await stage();
    here.source.setSnapshot(snapshot(1));
    await collect(getResources(client(here, variant), LISTENER_TYPE, { ...ONCE, refusal: 'l: no' }));
    await until(
      () => here.answers.length > 0,
      'refused',
      () => here.answers,
    );
    const [answer] = here.answers;
    assert.equal(answer?.outcome, 'rejected');
    assert.equal(answer.message, 'l: no');
  });

  test(`${variant}: --watch goes on with each change`, async () => {
    await using here = await stage();
    here.source.setSnapshot(snapshot(1));
    const watcher = client(here, variant);
    const seen: string[] = [];
    for await (const { resources } of getResources(watcher, LISTENER_TYPE, { ...ONCE, watch: true })) {
      seen.push(JSON.stringify(resources[0]?.resource['address']));
      if (seen.length === 3) break;
      here.source.setSnapshot(snapshot(seen.length + 1));
    }
    assert.deepEqual(
      seen.map((address) => /"port_value":(\d)/.exec(address)?.[1]),
      ['1', '2', '3'],
    );
  });
}

test('a stream that the server refuses is one line with status and reason', async () => {
  await using here = await stage(SERVED, { limits: { streams: 0 } });
  await assert.rejects(collect(getResources(client(here, 'delta'), LISTENER_TYPE, ONCE)), {
    message: `xDS at ${here.server.address}: RESOURCE_EXHAUSTED: there are 0 streams already`,
  });
});

test('a server that ends while it is watched gives no advice on how to connect', async () => {
  await using here = await stage();
  here.source.setSnapshot(snapshot(1));
  const watching = (async (): Promise<void> => {
    const responses = getResources(client(here, 'delta'), LISTENER_TYPE, { ...ONCE, watch: true });
    for await (const { version } of responses) if (version !== undefined) await here.server.close();
  })();
  await assert.rejects(watching, {
    message: `xDS at ${here.server.address}: UNAVAILABLE: the control plane is closing`,
  });
});

test('a certificate that is not for clients is told to who shows it, with what to give', async (t) => {
  const folder = await temporaryFolder('xds-get');
  t.after(() => removeFolder(folder));
  const authority = await createAuthority(validForSeconds(3_600));
  const server = await authority.issueServer(['127.0.0.1'], validForSeconds(3_600));
  const files = await writeFiles(folder, authority.certificate, server);
  await using here = await stage(SERVED, { tls: { files, clusterDomain: 'cluster.local', everyMs: 5 } });
  const [host = '', port = ''] = here.server.address.split(':');
  const asking = new XdsClient({
    address: { host, port: Number(port) },
    tls: await readCertificates(files),
    variant: 'delta',
    node: { id: 'a', namespace: undefined },
  });
  await assert.rejects(collect(getResources(asking, LISTENER_TYPE, ONCE)), {
    message: /: the connection was closed; give the certificate of a client, [^\n]*the log of serve [^\n]*$/,
  });
});

test('a server that is not there is one line', async () => {
  const here = await stage(SERVED);
  await here.server.close();
  await assert.rejects(collect(getResources(client(here, 'delta'), LISTENER_TYPE, ONCE)), {
    message: /^xDS at 127\.0\.0\.1:\d+: nothing listens there; give [^\n]*--xds-address$/,
  });
});

const strangers: readonly [what: string, answer: (socket: Socket) => void, message: RegExp][] = [
  [
    'speaks another protocol',
    (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    /speaks no gRPC in the clear; .*--xds-address/,
  ],
  ['closes the connection', (socket) => socket.end(), /the connection was closed; .*--tls-cert/],
];

for (const [what, answer, message] of strangers) {
  test(`a port that ${what} is one line that says what to give`, async (t) => {
    const stranger = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    });
    t.after(() => stranger.close());
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    const { port } = stranger.address() as AddressInfo;
    const asking = new XdsClient({
      address: { host: '127.0.0.1', port },
      tls: undefined,
      variant: 'delta',
      node: { id: 'a', namespace: undefined },
    });
    await assert.rejects(collect(getResources(asking, LISTENER_TYPE, ONCE)), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n|Last error/);
      return true;
    });
  });
}

test('a client that closes itself ends without an error', async () => {
  await using here = await stage();
  const waiting = client(here, 'delta');
  const all = collect(getResources(waiting, LISTENER_TYPE, ONCE));
  await until(
    () => here.source.nodes.length > 0,
    'asked',
    () => here.source.nodes,
  );
  waiting.close();
  assert.deepEqual(await all, []);
});
