import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { startControlPlane } from '../../src/commands/control-plane.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { secretFiles } from '../../src/envoy/bootstrap-tls.ts';
import { bootstrap } from '../../src/envoy/bootstrap.ts';
import { createAuthority, type KeyPair } from '../../src/tls/authority.ts';
import { mountSecret, spiffe, validForSeconds, writeFiles } from '../tls/certificates.ts';
import { needEnvoy } from './environment.ts';
import { answerOf, connect, withoutDns } from './sidecar.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };
const HOUR = 3_600;
/** Long enough for an Envoy to connect, on most days. */
const SHORT = 10;
/** Envoy waits up to half a minute between attempts to connect. */
const PATIENT = { deadlineMs: 90_000 };

interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

interface StageOptions {
  readonly write?: (folder: string, ca: string, pair: KeyPair) => Promise<unknown>;
  readonly serverName?: string;
  readonly maxConnectionAgeMs?: number;
}

interface Stage {
  readonly log: readonly LogLine[];
  readonly port: number;
  envoy(options?: { readonly namespace?: string; readonly delta?: boolean }): Promise<EnvoyProcess>;
  /** Gives the client a new certificate, of the namespace shop. */
  renew(seconds: number): Promise<void>;
  setPassword(namespace: string, password: string): Promise<void>;
  /** What the sidecar's listener answers to AUTH. */
  auth(password: string): Promise<unknown>;
}

function redisService(namespace: string, password: string, port: number): string {
  return `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: { name: cache, namespace: ${namespace} }
spec:
  host: [cache.example]
  settings: { auth: { plain: { password: ${password} } } }
  redis: [{ route: { host: cache.example, port: ${port} } }]
`;
}

async function stage(t: TestContext, binary: string, options: StageOptions = {}): Promise<Stage> {
  const { write = writeFiles, serverName = '127.0.0.1', maxConnectionAgeMs } = options;
  const folder = await temporaryFolder('mtls');
  t.after(() => removeFolder(folder));
  const [port = 0] = await freePorts(1);
  const authority = await createAuthority(validForSeconds(HOUR));
  const server = await authority.issueServer([serverName], validForSeconds(HOUR));
  const serverFiles = await writeFiles(join(folder, 'server'), authority.certificate, server);
  const clientFolder = join(folder, 'client');
  const renew = async (seconds: number): Promise<void> => {
    const pair = await authority.issueClient(spiffe('shop'), validForSeconds(seconds));
    await write(clientFolder, authority.certificate, pair);
  };
  const setPassword = async (namespace: string, password: string): Promise<void> => {
    const file = join(folder, `${namespace}.yaml`);
    await writeFile(`${file}.new`, redisService(namespace, password, port));
    await rename(`${file}.new`, file);
  };
  await setPassword('shop', 'of-shop');
  await setPassword('pay', 'of-pay');
  const log: LogLine[] = [];
  const controlPlane = await startControlPlane({
    configPaths: [join(folder, 'shop.yaml'), join(folder, 'pay.yaml')],
    xdsAddress: LOCAL,
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe: false,
    tls: serverFiles,
    maxConnectionAgeMs,
    log: pino({ level: 'info' }, { write: (line: string) => log.push(JSON.parse(line) as LogLine) }),
  });
  t.after(() => controlPlane.close());
  const startOne: Stage['envoy'] = async ({ namespace, delta = true } = {}) => {
    const files = {
      ca: join(clientFolder, 'ca.crt'),
      cert: join(clientFolder, 'tls.crt'),
      key: join(clientFolder, 'tls.key'),
    };
    const tls = { files, secretsPrefix: join(folder, 'envoy') };
    const xdsAddress = { host: '127.0.0.1', port: Number(controlPlane.xdsAddress.split(':')[1]) };
    for (const [path, secret] of secretFiles(tls, xdsAddress.host))
      await writeFile(path, JSON.stringify(secret));
    const envoy = await startEnvoy({
      binary,
      waitUntilReady: false,
      configuration: (socketPath) => ({
        ...withoutDns(),
        ...bootstrap({
          xdsAddress,
          nodeId: 'shop-1',
          namespace,
          drainSeconds: 1,
          delta,
          admin: { socketPath },
          tls,
        }),
      }),
    });
    t.after(() => envoy.stop());
    return envoy;
  };
  const client = connect(t, port, { enableReadyCheck: false });
  return {
    log,
    port,
    envoy: startOne,
    renew,
    setPassword,
    auth: async (password) => await answerOf(client.call('AUTH', password)),
  };
}

const messages = (log: readonly LogLine[], message: string): readonly LogLine[] =>
  log.filter(({ msg }) => msg === message);

/** Starts one with a certificate of seconds: with another one if they were too few. */
async function connectShortly(here: Stage): Promise<EnvoyProcess> {
  let seconds = SHORT;
  let expiryMs = Date.now() + seconds * 1_000;
  await here.renew(seconds);
  const envoy = await here.envoy();
  await eventually(
    'connected',
    async () => {
      if (messages(here.log, 'node connected').length > 0) return true;
      if (Date.now() < expiryMs) return undefined;
      seconds *= 2;
      expiryMs = Date.now() + seconds * 1_000;
      await here.renew(seconds);
      return undefined;
    },
    PATIENT,
  );
  return envoy;
}

async function connected(here: Stage, times: number): Promise<void> {
  await eventually(
    `connected ${times} times`,
    () => (messages(here.log, 'node connected').length >= times ? true : undefined),
    { ...PATIENT, seen: () => JSON.stringify(here.log.slice(-5)) },
  );
}

async function accepts(here: Stage, password: string): Promise<void> {
  let answer: unknown;
  await eventually(
    `the listener takes the password "${password}"`,
    async () => {
      answer = await here.auth(password);
      return answer === 'OK' ? true : undefined;
    },
    { ...PATIENT, seen: () => `${String(answer)}; ${JSON.stringify(here.log.slice(-5))}` },
  );
}

// At once: each waits for certificates to run out, or for an Envoy to try again.
suite('Envoys with certificates', { concurrency: true }, () => {
  test('an Envoy whose certificate has expired is refused, serves on, and is back with its new one', async (t) => {
    const binary = await needEnvoy(t);
    if (binary === undefined) return;
    const here = await stage(t, binary);
    await connectShortly(here);
    await accepts(here, 'of-shop');
    const [line] = messages(here.log, 'node connected');
    assert.equal(line?.['namespace'], 'shop');
    await eventually('refused', () => messages(here.log, 'connection refused')[0], PATIENT);
    assert.match(
      String(messages(here.log, 'connection refused')[0]?.['reason']),
      /^its certificate has expired/,
    );
    await here.setPassword('shop', 'of-shop-again');
    assert.equal(await here.auth('of-shop'), 'OK');
    await here.renew(HOUR);
    await accepts(here, 'of-shop-again');
    // Of the other namespace's object for the same host, nothing came.
    assert.match(String(await here.auth('of-pay')), /invalid password/);
  });

  test('an Envoy whose mounted Secret is renewed in time changes over without being refused once', async (t) => {
    const binary = await needEnvoy(t);
    if (binary === undefined) return;
    const here = await stage(t, binary, { write: mountSecret });
    const envoy = await connectShortly(here);
    const refusedBefore = messages(here.log, 'connection refused').length;
    await here.renew(HOUR);
    await eventually('ended', () => messages(here.log, 'connection ended')[0], PATIENT);
    await connected(here, 2);
    await accepts(here, 'of-shop');
    assert.equal(messages(here.log, 'connection ended')[0]?.['why'], 'the certificate has expired');
    assert.equal(messages(here.log, 'connection refused').length, refusedBefore);
    const stats = await envoy.stats('^(listener_manager.lds|cluster_manager.cds).update_rejected$');
    assert.deepEqual([...stats.values()], [0, 0]);
  });

  test('an Envoy that claims another namespace gets nothing', async (t) => {
    const binary = await needEnvoy(t);
    if (binary === undefined) return;
    const here = await stage(t, binary);
    await here.renew(HOUR);
    const envoy = await here.envoy({ namespace: 'pay' });
    await eventually(
      'refused three times',
      () => (messages(here.log, 'request refused').length >= 3 ? true : undefined),
      PATIENT,
    );
    assert.match(
      String(messages(here.log, 'request refused')[0]?.['problem']),
      /^the node names the namespace "pay"/,
    );
    assert.deepEqual(messages(here.log, 'node connected'), []);
    assert.equal(await envoy.admin('/listeners'), '');
    assert.doesNotMatch(await envoy.admin('/clusters'), /cache\.example/);
  });

  test('an Envoy does not connect to a server whose certificate has another name', async (t) => {
    const binary = await needEnvoy(t);
    if (binary === undefined) return;
    const here = await stage(t, binary, { serverName: 'redpilot.example' });
    await here.renew(HOUR);
    const envoy = await here.envoy();
    await eventually(
      'refused by Envoy',
      async () => {
        const failed = await envoy.stats('redpilot-xds.ssl.fail_verify_san$');
        return [...failed.values()].some((count) => count > 0) ? true : undefined;
      },
      PATIENT,
    );
    assert.deepEqual(messages(here.log, 'node connected'), []);
  });

  for (const delta of [true, false]) {
    const variant = delta ? 'delta' : 'the state of the world';
    test(`the end of connections by age changes nothing in an Envoy, in ${variant}`, async (t) => {
      const binary = await needEnvoy(t);
      if (binary === undefined) return;
      const here = await stage(t, binary, { maxConnectionAgeMs: 1_500 });
      await here.renew(HOUR);
      const envoy = await here.envoy({ delta });
      await accepts(here, 'of-shop');
      const client = connect(t, here.port, { enableReadyCheck: false, password: 'of-shop' });
      await eventually('a client', () => client.ping(), PATIENT);
      let disconnects = 0;
      client.on('close', () => (disconnects += 1));
      const counters =
        '^(listener_manager.listener_(modified|in_place_updated|removed)|cluster_manager.cluster_(modified|removed))$';
      const before = [...(await envoy.stats(counters))];
      const ends = messages(here.log, 'connection ended').length;
      await eventually(
        'three ends and reconnects',
        async () => {
          assert.equal(await client.ping(), 'PONG');
          return messages(here.log, 'connection ended').length >= ends + 3 ? true : undefined;
        },
        PATIENT,
      );
      await connected(here, ends + 4);
      assert.deepEqual([...(await envoy.stats(counters))], before);
      assert.equal(disconnects, 0);
      await here.setPassword('shop', 'of-shop-again');
      await accepts(here, 'of-shop-again');
    });
  }
});
