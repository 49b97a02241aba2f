/**
 * What a real istiod made of the golden cases, given to real Envoys; and what Envoys do with what we refuse to write.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { OLDEST_ENVOY } from '../../src/envoy/envoy-version.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { list, map, type Json } from '../../src/istio/loose-json.ts';
import { filtersOfCase } from '../golden/istio-case.ts';
import { recordedCases, recordingOf } from '../istio/recording.ts';
import { needEnvoy, needOldestEnvoy } from './environment.ts';

/** Envoy's answer to a configuration, and how it ended. */
async function validated(
  t: TestContext,
  envoy: string,
  configuration: object,
): Promise<{ readonly status: number | null; readonly signal: string | null; readonly said: string }> {
  const folder = await temporaryFolder('validate');
  t.after(() => removeFolder(folder));
  const file = join(folder, 'envoy.json');
  await writeFile(file, JSON.stringify(configuration));
  const args = ['--mode', 'validate', '-c', file, '--log-level', 'error'];
  const { status, signal, stdout, stderr } = spawnSync(envoy, args, { encoding: 'utf8' });
  return { status, signal, said: `${stdout}${stderr}` };
}

/** All that was recorded as one static configuration: each with names and addresses of its own. */
async function everythingRecorded(secretsFolder: string): Promise<object> {
  const clusters: object[] = [];
  const listeners: object[] = [];
  let port = 20_000;
  for (const name of recordedCases()) {
    const { objects } = await filtersOfCase(name, String);
    const secret = objects.find((object) => object.kind === 'Secret');
    const inFolder = (field = ''): string => join(secretsFolder, name, secret?.name ?? '', field);
    for (const [field, text] of secret?.data ?? []) {
      await mkdir(inFolder(), { recursive: true });
      await writeFile(inFolder(field), text.reveal());
    }
    // What may be secret is not in Envoy's dump.
    const key = secret?.data.get('tls.key')?.reveal();
    const [password] = secret?.data.keys() ?? [];
    for (const sidecar of recordingOf(name).sidecars) {
      const place = `${name}/${sidecar.namespace}`;
      const own = (value: unknown): Json => {
        const text = JSON.stringify(value)
          .replaceAll('"redpilot|', `"${place}|redpilot|`)
          .replaceAll(ISTIO_DEFAULTS.secretsDirectory, join(secretsFolder, name))
          .replaceAll(
            '"private_key":{"inline_string":"[redacted]"}',
            `"private_key":{"inline_string":${JSON.stringify(key)}}`,
          )
          .replaceAll(
            '"private_key":{"filename":"[redacted]"}',
            `"private_key":{"filename":"${inFolder('tls.key')}"}`,
          )
          .replaceAll('"filename":"[redacted]"', `"filename":"${inFolder(password)}"`);
        return { ...map(JSON.parse(text)), '@type': undefined };
      };
      clusters.push(...Object.values(sidecar.clusters).map(own));
      for (const [listener, resource] of Object.entries(sidecar.listeners)) {
        port += 1;
        listeners.push({
          ...own(resource),
          name: `${place}/${listener}`,
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
        });
      }
    }
  }
  return { node: { id: 'sidecar', cluster: 'mesh' }, static_resources: { clusters, listeners } };
}

for (const [what, need] of [
  ['Envoy', needEnvoy],
  [`Envoy ${OLDEST_ENVOY}`, needOldestEnvoy],
] as const) {
  test(`${what} --mode validate takes what istiod made of every golden case`, async (t) => {
    const envoy = await need(t);
    if (envoy === undefined) return;
    const folder = await temporaryFolder('mounted');
    t.after(() => removeFolder(folder));
    const { status, said } = await validated(t, envoy, await everythingRecorded(folder));
    assert.equal(status, 0, said);
  });
}

const NAME = 'redpilot|redis/redis/redis-cluster|redis-cluster.redis.svc.cluster.local:6379';

/** A golden case as a static configuration: its clusters, and its filter on that port. */
async function asStatic(
  port: number,
  name = 'cluster-ip',
): Promise<{ clusters: Json[]; filter: Json; config: () => object }> {
  const [body] = (await filtersOfCase(name, (secret) => secret.reveal())).bodies;
  assert.ok(body);
  const { configPatches } = structuredClone(body.spec);
  const values = (kind: string): Json[] =>
    configPatches.filter(({ applyTo }) => applyTo === kind).map(({ patch }) => map(patch.value));
  const clusters = values('CLUSTER');
  const [filter] = values('NETWORK_FILTER');
  assert.ok(filter);
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return {
    clusters,
    filter,
    config: () => ({
      static_resources: {
        clusters,
        listeners: [{ name: 'listener', address, filter_chains: [{ filters: [filter] }] }],
      },
    }),
  };
}

test('eds_cluster_config beside cluster_type, as a MERGE over a cluster of istiod makes it, crashes Envoy', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const { clusters, config } = await asStatic(20_000);
  Object.assign(clusters[0] ?? {}, {
    eds_cluster_config: {
      eds_config: { ads: {}, resource_api_version: 'V3' },
      service_name: 'outbound|6379||x',
    },
  });
  const { status, signal } = await validated(t, envoy, config());
  assert.ok(signal === 'SIGSEGV' || status === 139, `status ${status}, signal ${signal}`);
});

test('one cluster twice is refused by Envoy', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const { clusters, config } = await asStatic(20_000);
  clusters.push(...clusters);
  const { status, said } = await validated(t, envoy, config());
  assert.equal(status, 1);
  assert.match(said, /cluster .* already|duplicate/i);
});

test('a filter without typed_config is refused by Envoy', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const { filter, config } = await asStatic(20_000);
  Object.assign(filter, { typed_config: undefined });
  const { status, said } = await validated(t, envoy, config());
  assert.equal(status, 1);
  assert.match(said, /redis_proxy/);
});

async function started(
  t: TestContext,
  envoy: string,
  config: object,
  waitUntilReady = true,
): Promise<EnvoyProcess> {
  const process = await startEnvoy({
    binary: envoy,
    waitUntilReady,
    configuration: (path) => ({ ...config, admin: { address: { pipe: { path } } } }),
  });
  t.after(() => process.stop());
  return process;
}

/** What comes back for the lines until as many lines are there, or the connection ends. */
function answers(port: number, lines: readonly string[], count: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(lines.map((line) => `${line}\r\n`).join('')),
    );
    let said = '';
    const found = (): string[] => said.split('\r\n').slice(0, -1);
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (found().length >= count) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(found()));
  });
}

function command(...words: readonly string[]): string {
  return [`*${words.length}`, ...words.flatMap((word) => [`$${word.length}`, word])].join('\r\n');
}

test('a route to a cluster that is not there lets a client crash Envoy', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [port = 0] = await freePorts(1);
  const { filter, config } = await asStatic(port);
  const catchAll = map(map(filter['typed_config'])['prefix_routes'])['catch_all_route'];
  Object.assign(map(catchAll), { cluster: 'nowhere' });
  const { process } = await started(t, envoy, config());
  const lines = [command('MULTI'), command('SET', 'k', 'v'), command('EXEC')];
  await answers(port, lines, 3).catch(() => []);
  await eventually('the end of Envoy', () => (process.isRunning() ? undefined : true), {
    deadlineMs: 30_000,
  });
});

test('an empty password is none to Envoy, and a user name without a password keeps everybody out', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [open = 0, closed = 0] = await freePorts(2);
  const first = await asStatic(open);
  const second = await asStatic(closed, 'password-refused');
  const proxy = map(first.filter['typed_config']);
  Object.assign(proxy, { downstream_auth_passwords: [{ inline_string: '' }] });
  await started(t, envoy, first.config());
  await started(t, envoy, second.config());
  assert.deepEqual(await answers(open, [command('PING')], 1), ['+PONG']);
  const [ping = '', auth = ''] = await answers(closed, [command('PING'), command('AUTH', 'nobody', '')], 2);
  assert.match(ping, /^-NOAUTH/);
  assert.match(auth, /^-/);
});

test('a Redis Cluster that is down keeps a starting Envoy from being ready, unless it is not waited for', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [one = 0, other = 0, dead = 0] = await freePorts(3);
  const waiting = await asStatic(one);
  const ours = await asStatic(other);
  for (const { clusters } of [waiting, ours]) {
    assert.equal(clusters[0]?.['name'], NAME);
    const [group] = list(map(clusters[0]['load_assignment'])['endpoints']);
    const seed = { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: dead } } } };
    Object.assign(group ?? {}, { lb_endpoints: [seed] });
  }
  Object.assign(waiting.clusters[0] ?? {}, { wait_for_warm_on_init: true });
  const kept = await started(t, envoy, waiting.config(), false);
  await started(t, envoy, ours.config());
  assert.notEqual((await kept.admin('/ready')).trim(), 'LIVE');
});
