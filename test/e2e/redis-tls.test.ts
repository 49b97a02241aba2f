import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { createAuthority, validFor, type Authority, type KeyPair } from '../../src/tls/authority.ts';
import { needEnvoy, needTlsRedis } from './environment.ts';
import { startHosts, type Host, type Hosts } from './hosts.ts';
import { documents, secret } from './objects.ts';
import { answerOf } from './sidecar.ts';
import { startTlsRedis } from './tls-redis.ts';

const NAME = 'redis.example.com';

/** `ours` is the one that objects trust; `theirs` is somebody else's. */
interface Certificates {
  readonly ours: Authority;
  readonly theirs: Authority;
}

async function authorities(): Promise<Certificates> {
  return { ours: await createAuthority(validFor(2)), theirs: await createAuthority(validFor(2)) };
}

function tlsSecret(name: string, authority: Authority, client?: KeyPair): string {
  return documents(
    secret(name, {
      'ca.crt': authority.certificate,
      ...(client === undefined ? {} : { 'tls.crt': client.certificate, 'tls.key': client.key }),
    }),
  );
}

const simple = (more: object = {}): Pick<Host, 'tls'> => ({
  tls: { mode: 'SIMPLE', serverName: NAME, secret: { name: 'authority' }, ...more },
});

/** How a command ends, once it is the same twice in a row: nothing is on its way any more. */
async function outcome(hosts: Hosts, name: string): Promise<string> {
  let before = '';
  return await eventually(`a lasting answer of ${name}`, async () => {
    const now = String(await answerOf(hosts.client(name).set('key', name)));
    const isSame = now === before;
    before = now;
    return isSame ? now : undefined;
  });
}

/** What Envoy counted of a host's TLS, by the last part of the statistic's name. */
async function tlsStats(hosts: Hosts, name: string): Promise<ReadonlyMap<string, number>> {
  const stats = await hosts.sidecar.envoy.stats(`cluster\\.${name}\\..*ssl\\.`);
  return new Map([...stats].map(([full, count]) => [full.split('.ssl.')[1] ?? full, count]));
}

async function startAll(t: TestContext): Promise<Hosts | undefined> {
  const envoy = await needEnvoy(t);
  const redis = envoy === undefined ? undefined : await needTlsRedis(t);
  if (envoy === undefined || redis === undefined) return undefined;
  const { ours, theirs } = await authorities();
  const yesterday = {
    notBefore: new Date(Date.now() - 2 * 86_400_000),
    notAfter: new Date(Date.now() - 86_400_000),
  };
  const server = async (authority: Authority, names = [NAME], validity = validFor(1)): Promise<KeyPair> =>
    await authority.issueServer(names, validity);
  const start = async (
    pair: KeyPair,
    options: { mutual?: boolean; cluster?: boolean } = {},
  ): Promise<number> =>
    (await startTlsRedis(t, redis, { server: pair, authorities: ours.certificate, ...options })).tlsPort;
  const client = await ours.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
  const stranger = await theirs.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
  const right = await start(await server(ours));
  const mutual = await start(await server(ours), { mutual: true });
  const byName = (name: string): object => ({ tls: { mode: 'MUTUAL', serverName: NAME, secret: { name } } });
  return await startHosts(
    t,
    envoy,
    [
      { name: 'right', endpoints: [right], ...simple() },
      { name: 'with-final-dot', endpoints: [right], ...simple({ serverName: `${NAME}.` }) },
      {
        name: 'cluster',
        endpoints: [await start(await server(ours), { cluster: true })],
        mode: 'CLUSTER',
        ...simple(),
      },
      {
        name: 'by-address',
        endpoints: [await start(await server(ours, ['127.0.0.1']))],
        ...simple({ serverName: '127.0.0.1' }),
      },
      {
        name: 'unverified',
        endpoints: [await start(await server(theirs, ['elsewhere.example.com'], yesterday))],
        ...simple({ insecureSkipVerify: true }),
      },
      { name: 'with-certificate', endpoints: [mutual], ...byName('client') },
      { name: 'wrong-authority', endpoints: [await start(await server(theirs))], ...simple() },
      {
        name: 'wrong-name',
        endpoints: [await start(await server(ours, ['elsewhere.example.com']))],
        ...simple(),
      },
      { name: 'expired', endpoints: [await start(await server(ours, [NAME], yesterday))], ...simple() },
      { name: 'without-certificate', endpoints: [mutual], ...simple() },
      { name: 'strange-certificate', endpoints: [mutual], ...byName('stranger') },
      { name: 'plaintext', endpoints: [right] },
      { name: 'unknown-secret', endpoints: [right], ...simple({ secret: { name: 'nowhere' } }) },
    ],
    {
      'authority.yaml': tlsSecret('authority', ours),
      'client.yaml': tlsSecret('client', ours, client),
      'stranger.yaml': tlsSecret('stranger', ours, stranger),
    },
  );
}

test('TLS towards Redis', async (t) => {
  const hosts = await startAll(t);
  if (hosts === undefined) return;
  for (const name of ['right', 'with-final-dot', 'cluster', 'by-address', 'unverified', 'with-certificate']) {
    await t.test(`${name}: commands are answered`, async () => {
      await eventually('an answer', async () =>
        (await hosts.client(name).set('key', name)) === 'OK' ? true : undefined,
      );
    });
  }
  await t.test('cluster: health checks go through TLS too', async () => {
    await eventually('a healthy node', async () => {
      const lines = (await hosts.sidecar.envoy.admin('/clusters'))
        .split('\n')
        .filter((line) => line.startsWith('cluster.'));
      return lines.some((line) => line.endsWith('health_flags::healthy')) ? true : undefined;
    });
  });
  // How docs/tls.md tells them apart: by Envoy's counters of the cluster, and by its log at the level debug.
  const failures: readonly (readonly [
    name: string,
    counter: string | undefined,
    said: RegExp | undefined,
  ])[] = [
    [
      'wrong-authority',
      'fail_verify_error',
      /unable to get local issuer certificate|self.signed certificate/,
    ],
    ['wrong-name', 'fail_verify_san', /SAN matcher/],
    ['expired', 'fail_verify_error', /certificate has expired/],
    ['without-certificate', undefined, /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/],
    ['strange-certificate', undefined, /UNKNOWN_CA/],
    ['plaintext', undefined, undefined],
    ['unknown-secret', undefined, undefined],
  ];
  await hosts.sidecar.envoy.admin('/logging?connection=debug', 'POST');
  for (const [name, counter, said] of failures) {
    await t.test(`${name}: no command gets through`, async () => {
      assert.match(await outcome(hosts, name), /upstream failure|no upstream host/);
      const stats = await tlsStats(hosts, name);
      if (counter !== undefined) assert.ok((stats.get(counter) ?? 0) > 0, JSON.stringify([...stats]));
      if (said === undefined) return;
      // On one connection, so that the log ends with what happened upstream.
      const client = hosts.client(name);
      await answerOf(client.get('key'));
      await eventually(
        'the reason in the log of Envoy',
        async () => {
          await answerOf(client.get('key'));
          return said.test(hosts.sidecar.envoy.process.lastLines()) ? true : undefined;
        },
        { seen: () => hosts.sidecar.envoy.process.lastLines() },
      );
    });
  }
});

test('a rotated certificate is followed, of the authority and of the client', async (t) => {
  const envoy = await needEnvoy(t);
  const redis = envoy === undefined ? undefined : await needTlsRedis(t);
  if (envoy === undefined || redis === undefined) return;
  const { ours, theirs } = await authorities();
  const pair = await ours.issueServer([NAME], validFor(1));
  const { tlsPort } = await startTlsRedis(t, redis, {
    server: pair,
    authorities: ours.certificate,
    mutual: true,
  });
  const strange = await theirs.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
  const right = await ours.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
  const hosts = await startHosts(
    t,
    envoy,
    [
      {
        name: 'rotated',
        endpoints: [tlsPort],
        tls: { mode: 'MUTUAL', serverName: NAME, secret: { name: 'client' } },
      },
    ],
    { 'client.yaml': tlsSecret('client', theirs, strange) },
  );
  const becomes = (answer: RegExp): Promise<true> =>
    eventually(`answer ${String(answer)}`, async () =>
      answer.test(String(await answerOf(hosts.client('rotated').set('key', 'value')))) ? true : undefined,
    );
  await becomes(/upstream failure/);
  await hosts.sidecar.write('client.yaml', tlsSecret('client', ours, strange));
  await becomes(/upstream failure/);
  await hosts.sidecar.write('client.yaml', tlsSecret('client', ours, right));
  await becomes(/OK/);
  await t.test('what can be read no more stays in force', async () => {
    await hosts.sidecar.remove('client.yaml');
    await eventually('the loss being told', () =>
      hosts.sidecar.controlPlane.diagnostics().some(({ reason }) => reason === 'LastGoodKept')
        ? true
        : undefined,
    );
    await becomes(/OK/);
  });
});
