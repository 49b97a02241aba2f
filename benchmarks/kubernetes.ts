/**
 * What 2,000 RedisServices cost the control plane and the API server, what changes cost, and how soon a change is in force.
 *
 * On a real kube-apiserver from KUBEBUILDER_ASSETS, with the rights of the manifests.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { freePorts, startProcess } from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { ApiServer } from '../src/sources/kubernetes/api-server.ts';
import { loadCredentials } from '../src/sources/kubernetes/credentials.ts';
import { KubeCluster } from '../test/e2e/kube-cluster.ts';
import { clusterHost, documents, redisService } from '../test/e2e/kube-objects.ts';
import { connectEnvoy } from '../test/e2e/sidecar.ts';
import { median } from './free-connections.ts';

const OBJECTS = 2_000;
const NAMESPACES = 20;
const AT_ONCE = 16;
const APPLIES = 20;
const CONTROLLER = 'system:serviceaccount:redpilot:redpilot';
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

type End = () => Promise<void> | void;

export async function run(): Promise<void> {
  const ends: End[] = [];
  const context = {
    after: (end: End): void => void ends.push(end),
    skip: (reason?: string): never => {
      throw new Error(reason);
    },
  };
  try {
    await measure(context);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

interface Context {
  after(end: End): void;
  skip(reason?: string): never;
}

async function measure(context: Context): Promise<void> {
  const print = (what: string, value: string): void => void process.stdout.write(`| ${what} | ${value} |\n`);
  const kube = await KubeCluster.start(context, { audit: true });
  if (kube === undefined) return;
  await kube.installControlPlane();
  const api = new ApiServer(loadCredentials({ KUBECONFIG: await kube.kubeconfig('admin') }));
  context.after(() => api.close());
  const namespaces: string[] = [];
  for (let index = 0; index < NAMESPACES; index += 1) namespaces.push(await kube.newNamespace('bench'));
  await create(api, namespaces);

  process.stdout.write(
    `${OBJECTS} RedisServices with a Service each, ${NAMESPACES} namespaces\n\n| | |\n|---|---|\n`,
  );
  const [xdsPort = 0, adminPort = 0] = await freePorts(2);
  process.env['KUBECONFIG'] = await kube.kubeconfig('controller');
  const listen = ['--xds-address', `127.0.0.1:${xdsPort}`, '--admin-address', `127.0.0.1:${adminPort}`];
  const began = performance.now();
  const program = await startProcess(process.execPath, [
    CLI,
    'serve',
    '--kubernetes',
    '--no-probe',
    ...listen,
  ]);
  context.after(() => program.stop());
  const admin = `http://127.0.0.1:${adminPort}`;
  await eventually('ready', async () => ((await fetch(`${admin}/readyz`)).ok ? true : undefined), {
    deadlineMs: 120_000,
  });
  print('from the start of the process until it is ready', seconds(performance.now() - began));
  print('API requests until then', String(await kube.requestsOf(CONTROLLER)));
  const writes = (): Promise<number> => statusWrites(admin);
  await eventually('a status each', async () => ((await writes()) >= OBJECTS ? true : undefined), {
    deadlineMs: 300_000,
    everyMs: 500,
  });
  print('until every object has its status', seconds(performance.now() - began));
  await sleep(5_000);
  print('status writes for that', String(await writes()));
  print('memory of the control plane then', `${residentMiB(program.pid)} MiB`);

  const [namespace = ''] = namespaces;
  const change = (opTimeout: string): Promise<unknown> =>
    api.request(`/apis/redis.aeraki.io/v1alpha1/namespaces/${namespace}/redisservices/cache-0`, {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { spec: { settings: { opTimeout } } },
    });
  const beforeOne = await writes();
  await change('7s');
  await sleep(5_000);
  print('status writes for one change', String((await writes()) - beforeOne));
  const beforeMany = await writes();
  for (let count = 0; count < 100; count += 1) {
    await change(`${count + 8}s`);
    await sleep(100);
  }
  await sleep(3_000);
  print('status writes for 100 changes to one object in 10 s', String((await writes()) - beforeMany));
  print('a change in force after the end of kubectl apply', await applied(context, kube, xdsPort));
  print('memory of the control plane at the end', `${residentMiB(program.pid)} MiB`);
}

async function create(api: ApiServer, namespaces: readonly string[]): Promise<void> {
  const queue = Array.from({ length: OBJECTS }, (_, index) => index);
  const post = (path: string, body: object): Promise<unknown> => api.request(path, { method: 'POST', body });
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const namespace = namespaces[index % namespaces.length] ?? '';
        const name = `cache-${Math.floor(index / namespaces.length)}`;
        await post(`/api/v1/namespaces/${namespace}/services`, {
          metadata: { name },
          spec: { clusterIP: 'None', ports: [{ name: 'redis', port: 6379 }] },
        });
        await post(
          `/apis/redis.aeraki.io/v1alpha1/namespaces/${namespace}/redisservices`,
          redisService(namespace, name),
        );
      }
    }),
  );
}

/** Until an Envoy has the new read policy for new connections; median and range of some. */
async function applied(context: Context, kube: KubeCluster, xdsPort: number): Promise<string> {
  const redis = await RedisCluster.start({ redis: await findRedis() });
  context.after(() => redis.stop());
  const namespace = await kube.newNamespace('apply');
  const [port = 0] = await freePorts(1);
  const seeds = redis.nodes.slice(0, 2).map((node) => node.port);
  await kube.apply(clusterHost(namespace, 'cache', port, seeds));
  const envoy = await connectEnvoy(context, {
    envoy: await findEnvoy(),
    xdsAddress: `127.0.0.1:${xdsPort}`,
    namespace,
    nodeId: 'bench',
  });
  const times: number[] = [];
  for (let count = 0; count <= APPLIES; count += 1) {
    const readPolicy = count % 2 === 0 ? 'REPLICA' : 'ANY';
    await kube.apply(documents(redisService(namespace, 'cache', { settings: { readPolicy } })));
    const end = performance.now();
    await eventually(
      readPolicy,
      async () =>
        (await envoy.admin('/config_dump?resource=dynamic_listeners')).includes(
          `"read_policy": "${readPolicy}"`,
        )
          ? true
          : undefined,
      { everyMs: 5, deadlineMs: 30_000 },
    );
    // The first makes cluster and listener.
    if (count > 0) times.push(performance.now() - end);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return `${ms(median(times))} (${ms(sorted[0] ?? 0)} to ${ms(sorted.at(-1) ?? 0)}; ${APPLIES} changes)`;
}

async function statusWrites(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  return Number(/^redpilot_status_writes_total (\d+)/m.exec(text)?.[1] ?? 0);
}

function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1_024);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

function ms(milliseconds: number): string {
  return `${Math.round(milliseconds)} ms`;
}
