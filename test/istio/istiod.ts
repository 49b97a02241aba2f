/**
 * A real istiod: built from Go modules once, then started for each question (half a second).
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { stringify } from 'yaml';

import { freePorts, removeFolder, startProcess, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually, Hopeless } from '../../src/demo/eventually.ts';
import { startKubeStub } from './kube-stub.ts';

const SOURCES = fileURLToPath(new URL('istiod', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url));

/** REDPILOT_ISTIOD, else built now: 14 minutes of one processor where nothing of it is in Go's cache. */
export async function findIstiod(progress: (line: string) => void): Promise<string> {
  const given = process.env['REDPILOT_ISTIOD'];
  if (given !== undefined) return given;
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(SOURCES, file)));
  const binary = join(CACHE, `istiod-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(binary)) return binary;
  progress('building istiod; this takes some minutes');
  await mkdir(CACHE, { recursive: true });
  const args = [
    'build',
    '-p',
    '1',
    '-trimpath',
    '-tags',
    'disable_pgv',
    '-ldflags',
    '-s -w',
    '-o',
    binary,
    '.',
  ];
  await promisify(execFile)('go', args, { cwd: SOURCES, env: { ...process.env, CGO_ENABLED: '0' } });
  return binary;
}

/** No sidecar expects certificates of its clients, for the same reason. */
const PLAIN_INBOUND = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: 'istio-system' },
  spec: { mtls: { mode: 'DISABLE' } },
};

export interface MeshObjects {
  /** Services and EndpointSlices, as the API server has them. */
  readonly kubernetes: readonly { readonly apiVersion: string; readonly kind: string }[];
  /** Istio's own. */
  readonly istio: readonly object[];
}

export interface Istiod {
  /** Where proxies connect, in plain text. */
  readonly port: number;
  /** Other objects of Istio in the place of those that are there. */
  change(istio: readonly object[]): Promise<void>;
  stop(): Promise<void>;
}

/** Its ports are chosen before it opens them, so that somebody else may have come first. */
export async function startIstiod(
  binary: string,
  objects: MeshObjects,
  options: { readonly redisFilter: boolean },
): Promise<Istiod> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryIstiod(binary, objects, options);
    } catch (error) {
      if (attempt === 5 || !String(error).includes('address already in use')) throw error;
    }
  }
}

async function tryIstiod(
  binary: string,
  objects: MeshObjects,
  options: { readonly redisFilter: boolean },
): Promise<Istiod> {
  const folder = await temporaryFolder('istiod');
  const stub = await startKubeStub(objects.kubernetes);
  const [http = 0, grpc = 0, monitoring = 0, control = 0] = await freePorts(4);
  const config = join(folder, 'config');
  await mkdir(config);
  const change = async (istio: readonly object[]): Promise<void> => {
    const documents = [PLAIN_INBOUND, ...istio].map((object) =>
      stringify(object, { aliasDuplicateObjects: false }),
    );
    await writeFile(join(config, 'objects.yaml'), documents.join('---\n'));
  };
  await change(objects.istio);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigFor(stub.url));
  const mesh = join(folder, 'mesh.yaml');
  await writeFile(
    mesh,
    // Go's YAML takes OFF for false.
    JSON.stringify({
      rootNamespace: 'istio-system',
      ingressControllerMode: 'OFF',
      // Nobody gives this Envoy a certificate, without which it would wait for ever.
      enableAutoMtls: false,
      defaultConfig: { discoveryAddress: `127.0.0.1:${grpc}` },
    }),
  );
  const environment = {
    POD_NAME: 'istiod-0',
    POD_NAMESPACE: 'istio-system',
    ENABLE_CA_SERVER: 'false',
    PILOT_CERT_PROVIDER: 'none',
    INJECT_ENABLED: 'false',
    PILOT_ENABLE_GATEWAY_API: 'false',
    // An Envoy that is not Istio's has no such filters.
    PILOT_ENABLE_METADATA_EXCHANGE: 'false',
    PILOT_ENABLE_ALPN_FILTER: 'false',
    PILOT_ENABLE_REDIS_FILTER: String(options.redisFilter),
  };
  const running = await startProcess('env', [
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    binary,
    'discovery',
    '--registries=Kubernetes',
    `--kubeconfig=${kubeconfig}`,
    `--configDir=${config}`,
    `--meshConfig=${mesh}`,
    '--networksConfig=',
    `--httpAddr=127.0.0.1:${http}`,
    `--grpcAddr=127.0.0.1:${grpc}`,
    '--secureGRPCAddr=',
    '--httpsAddr=',
    `--monitoringAddr=127.0.0.1:${monitoring}`,
    '--ctrlz_address=127.0.0.1',
    `--ctrlz_port=${control}`,
  ]);
  const stop = async (): Promise<void> => {
    await running.stop();
    await stub.close();
    await removeFolder(folder);
  };
  try {
    const look = (): Promise<true | undefined> => {
      if (!running.isRunning()) throw new Hopeless(`istiod ended:\n${running.lastLines()}`);
      return isReady(http);
    };
    await eventually('istiod ready', look, { deadlineMs: 60_000, seen: running.lastLines });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: grpc, change, stop };
}

function isReady(port: number): Promise<true | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/ready', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? true : undefined);
    });
    asked.on('error', reject);
    asked.end();
  });
}

function kubeconfigFor(url: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'stub', cluster: { server: url } }],
    users: [{ name: 'stub', user: {} }],
    contexts: [{ name: 'stub', context: { cluster: 'stub', user: 'stub' } }],
    'current-context': 'stub',
  });
}
