/**
 * A real etcd and kube-apiserver on loopback, from KUBEBUILDER_ASSETS. No controllers and no kubelet: what they would
 * make (EndpointSlices, Pods) a test makes itself, and a namespace that was deleted never goes.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';

import { stringify } from 'yaml';

import {
  freePorts,
  removeFolder,
  startProcess,
  temporaryFolder,
  type Running,
} from '../../src/demo/child-process.ts';
import { eventually, Hopeless } from '../../src/demo/eventually.ts';
import { ApiServer, type ApiRequest } from '../../src/sources/kubernetes/api-server.ts';
import { loadCredentials } from '../../src/sources/kubernetes/credentials.ts';
import { collectionPath } from '../../src/sources/kubernetes/kinds.ts';
import { needKube, type Skipping } from './environment.ts';
import type { Ending } from './sidecar.ts';

/** Who may speak to it: by token, which is also the name of the user. */
const USERS: readonly (readonly [token: string, user: string, groups: string])[] = [
  ['admin', 'admin', 'system:masters'],
  ['controller', 'system:serviceaccount:redpilot:redpilot', 'system:serviceaccounts'],
  ['certificates', 'system:serviceaccount:redpilot:redpilot-certificates', 'system:serviceaccounts'],
  ['proxy', 'system:serviceaccount:app:redis-proxy', 'system:serviceaccounts'],
];

export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Named {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
}

export interface KubeClusterOptions {
  /** Flags of kube-apiserver beside ours. */
  readonly flags?: readonly string[];
  /** Writes down every request of everybody. */
  readonly audit?: boolean;
}

interface AuditEvent {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

function auditFlags(folder: string): readonly string[] {
  return [
    `--audit-policy-file=${join(folder, 'audit.yaml')}`,
    `--audit-log-path=${join(folder, 'audit.log')}`,
    '--audit-log-mode=blocking',
  ];
}

export class KubeCluster {
  readonly #assets: string;
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #etcdPort: number;
  readonly port: number;
  #etcd: Running | undefined;
  #api: Running | undefined;
  #admin: ApiServer | undefined;
  #namespaces = 0;
  /** By file; one that is read must not be written again meanwhile. */
  readonly #kubeconfigs = new Map<string, Promise<void>>();

  private constructor(assets: string, folder: string, flags: readonly string[], ports: readonly number[]) {
    this.#assets = assets;
    this.#folder = folder;
    this.#flags = flags;
    [this.#etcdPort = 0, this.port = 0] = ports;
  }

  /** undefined: the test has been skipped and must return. Stopped when the test ends. */
  static async start(
    t: Ending & Skipping,
    options: KubeClusterOptions = {},
  ): Promise<KubeCluster | undefined> {
    const assets = await needKube(t);
    if (assets === undefined) return undefined;
    const folder = await temporaryFolder('kube');
    const flags = [...(options.flags ?? []), ...(options.audit === true ? auditFlags(folder) : [])];
    const cluster = new KubeCluster(assets, folder, flags, await freePorts(2));
    t.after(() => cluster.#stop());
    await cluster.#prepare();
    const etcd = `http://127.0.0.1:${cluster.#etcdPort}`;
    cluster.#etcd = await startProcess(join(assets, 'etcd'), [
      `--data-dir=${join(folder, 'etcd')}`,
      '--unsafe-no-fsync=true',
      '--log-level=warn',
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      '--listen-peer-urls=http://127.0.0.1:0',
    ]);
    await cluster.startApi();
    return cluster;
  }

  /** Resolves when it answers. */
  async startApi(): Promise<void> {
    const key = join(this.#folder, 'service-accounts.key');
    const api = await startProcess(join(this.#assets, 'kube-apiserver'), [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${this.port}`,
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      `--cert-dir=${join(this.#folder, 'certificates')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--authorization-mode=RBAC',
      '--disable-admission-plugins=ServiceAccount',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      `--token-auth-file=${join(this.#folder, 'tokens.csv')}`,
      ...this.#flags,
    ]);
    this.#api = api;
    await eventually(
      'the API server',
      async () => {
        if (!api.isRunning()) throw new Hopeless(`kube-apiserver ended:\n${api.lastLines()}`);
        return (await this.#isReady()) ? true : undefined;
      },
      { deadlineMs: 120_000, everyMs: 100, seen: api.lastLines },
    );
  }

  async stopApi(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#api?.signal(signal);
    await this.#api?.ended;
  }

  /** The file of a kubeconfig for that user; `server` is another where something stands between. */
  async kubeconfig(token: string, server = `https://127.0.0.1:${this.port}`): Promise<string> {
    const file = join(this.#folder, `kubeconfig-${token}-${server.replaceAll(/\W/g, '-')}`);
    let written = this.#kubeconfigs.get(file);
    if (written === undefined) {
      written = this.#writeKubeconfig(file, token, server);
      this.#kubeconfigs.set(file, written);
    }
    await written;
    return file;
  }

  async #writeKubeconfig(file: string, token: string, server: string): Promise<void> {
    const named = { name: 'test' };
    await writeFile(
      file,
      stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'test',
        clusters: [
          {
            ...named,
            cluster: {
              server,
              // The client library wants it said where there is no TLS at all.
              ...(server.startsWith('http:')
                ? { 'insecure-skip-tls-verify': true }
                : { 'certificate-authority': join(this.#folder, 'certificates', 'apiserver.crt') }),
            },
          },
        ],
        users: [{ ...named, user: { token } }],
        contexts: [{ ...named, context: { cluster: 'test', user: 'test' } }],
      }),
      { mode: 0o600 },
    );
  }

  /** Whatever its exit status. */
  async kubectl(args: readonly string[], input = '', token = 'admin'): Promise<Said> {
    const kubeconfig = await this.kubeconfig(token);
    const child = spawn(join(this.#assets, 'kubectl'), [...args], {
      env: { ...process.env, KUBECONFIG: kubeconfig, HOME: this.#folder },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const status = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? -1));
    });
    return { status, stdout, stderr };
  }

  /** Fails where kubectl does. */
  async apply(text: string, ...flags: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.kubectl(['apply', '-f', '-', ...flags], text);
    if (status !== 0) throw new Error(`kubectl apply failed: ${stderr}`);
    return stdout;
  }

  /** The CRDs, and the rights of the manifests for the user `controller`. */
  async installControlPlane(manifests: 'control-plane' | 'istio' = 'control-plane'): Promise<void> {
    const folder = new URL(`../../manifests/${manifests}`, import.meta.url).pathname;
    const applied = await this.kubectl(['apply', '-k', folder]);
    if (applied.status !== 0) throw new Error(applied.stderr);
    const established = await this.kubectl([
      'wait',
      '--for=condition=Established',
      '--timeout=60s',
      'crd/redisservices.redis.aeraki.io',
      'crd/redisdestinations.redis.aeraki.io',
    ]);
    if (established.status !== 0) throw new Error(established.stderr);
  }

  /** As little as is needed of what Istio's own installation would define. */
  async installIstioCrds(): Promise<void> {
    await this.apply(await readFile(new URL('../kube/istio-crds.yaml', import.meta.url), 'utf8'));
  }

  /** As the user `admin`, without kubectl: for all that a test does not show kubectl's own ways with. */
  async request(path: string, options?: ApiRequest): Promise<unknown> {
    this.#admin ??= new ApiServer(loadCredentials({ KUBECONFIG: await this.kubeconfig('admin') }));
    return await this.#admin.request(path, options);
  }

  /** Applies them, each in the namespace that it names, without kubectl. */
  async put(...objects: readonly object[]): Promise<void> {
    for (const object of objects as readonly Named[]) {
      const { apiVersion, kind, metadata } = object;
      const collection = collectionPath(
        apiVersion,
        `${kind.toLowerCase()}s`.replace(/ys$/, 'ies'),
        metadata.namespace,
      );
      await this.request(`${collection}/${metadata.name}`, {
        method: 'PATCH',
        query: { fieldManager: 'test', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: object,
      });
    }
  }

  /** What etcd keeps from now on is what there is: a watch from before gets 410 where the server has no cache. */
  async compact(): Promise<void> {
    const ask = async (
      path: string,
      body: object,
    ): Promise<{ readonly header: { readonly revision: string } }> => {
      const answer = await fetch(`http://127.0.0.1:${this.#etcdPort}/v3/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { readonly header: { readonly revision: string } };
    };
    const { header } = await ask('maintenance/status', {});
    await ask('kv/compaction', { revision: header.revision, physical: true });
  }

  /** The authority of its certificate, PEM. */
  async authority(): Promise<Buffer> {
    return await readFile(join(this.#folder, 'certificates', 'apiserver.crt'));
  }

  /** A new one for every caller: a deleted one would stay there for ever. */
  async newNamespace(prefix = 'test'): Promise<string> {
    this.#namespaces += 1;
    const name = `${prefix}-${this.#namespaces}`;
    await this.request('/api/v1/namespaces', { method: 'POST', body: { metadata: { name } } });
    return name;
  }

  /** How many requests of that verb a user has made, for that kind of objects; needs `audit`. */
  async requestsOf(user: string, verb?: string, resource?: string): Promise<number> {
    const events = await this.#eventsOf(user);
    return events.filter(
      (event) =>
        (verb === undefined || event.verb === verb) &&
        (resource === undefined || event.objectRef?.resource === resource),
    ).length;
  }

  /** What a user did, each once, as `VERB GROUP/RESOURCE/SUBRESOURCE STATUS`; needs `audit`. */
  async doneBy(user: string): Promise<ReadonlySet<string>> {
    const events = await this.#eventsOf(user);
    return new Set(
      events.map(({ verb, objectRef, responseStatus }) => {
        const { apiGroup = '', resource = '', subresource } = objectRef ?? {};
        const name = subresource === undefined ? resource : `${resource}/${subresource}`;
        return `${verb} ${apiGroup}/${name} ${responseStatus?.code ?? 0}`;
      }),
    );
  }

  async #eventsOf(user: string): Promise<readonly AuditEvent[]> {
    const lines = (await readFile(join(this.#folder, 'audit.log'), 'utf8')).trim().split('\n');
    return lines
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter((event) => event.user.username === user);
  }

  async #prepare(): Promise<void> {
    await writeFile(
      join(this.#folder, 'audit.yaml'),
      stringify({
        apiVersion: 'audit.k8s.io/v1',
        kind: 'Policy',
        omitStages: ['RequestReceived'],
        rules: [{ level: 'Metadata' }],
      }),
    );
    await mkdir(join(this.#folder, 'certificates'));
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'sec1', format: 'pem' });
    await writeFile(join(this.#folder, 'service-accounts.key'), pem, { mode: 0o600 });
    const lines = USERS.map(([token, user, groups], index) => `${token},${user},${index},"${groups}"\n`);
    await writeFile(join(this.#folder, 'tokens.csv'), lines.join(''), { mode: 0o600 });
  }

  async #isReady(): Promise<boolean> {
    const ca = await this.authority();
    return await new Promise((resolve) => {
      const asked = request(
        { host: '127.0.0.1', port: this.port, path: '/readyz', ca, agent: false, timeout: 10_000 },
        (response) => {
          response.resume();
          resolve(response.statusCode === 200);
        },
      );
      asked.on('timeout', () => asked.destroy());
      asked.on('error', () => resolve(false));
      asked.end();
    });
  }

  async #stop(): Promise<void> {
    this.#admin?.close();
    await this.#api?.stop();
    await this.#etcd?.stop();
    await removeFolder(this.#folder);
  }
}
