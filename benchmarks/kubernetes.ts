/**
 * What 2,000 RedisServices cost the control plane and the API server, what changes cost, and how soon a change is in force.
 *
 * On a real kube-apiserver from KUBEBUILDER_ASSETS, with the rights of the manifests.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Redis } from 'ioredis';

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
const READS = 24;
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
  print('reads on replicas only after the end of kubectl apply', await applied(context, kube, xdsPort));
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

/** Until a new connection to an Envoy reads from replicas only; median and range of some. */
async function applied(context: Context, kube: KubeCluster, xdsPort: number): Promise<string> {
  const redis = await RedisCluster.start({ redis: await findRedis() });
  context.after(() => redis.stop());
  const namespace = await kube.newNamespace('apply');
  const [port = 0] = await freePorts(1);
  const seeds = redis.nodes.slice(0, 2).map((node) => node.port);
  await kube.apply(clusterHost(namespace, 'cache', port, seeds));
  const envoy = await findEnvoy();
  await connectEnvoy(context, { envoy, xdsAddress: `127.0.0.1:${xdsPort}`, namespace, nodeId: 'bench' });
  const primaries = (await redis.shards()).map(({ primary }) => redis.node(primary).client);
  const times: number[] = [];
  for (let count = 0; count <= APPLIES; count += 1) {
    await kube.apply(documents(redisService(namespace, 'cache', { settings: { readPolicy: 'MASTER' } })));
    await connectionWhere(port, primaries, (onPrimaries) => onPrimaries === READS);
    await kube.apply(documents(redisService(namespace, 'cache', { settings: { readPolicy: 'REPLICA' } })));
    const end = performance.now();
    const opened = await connectionWhere(port, primaries, (onPrimaries) => onPrimaries === 0);
    // The first makes cluster and listener.
    if (count > 0) times.push(opened - end);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return `${ms(median(times))} (${ms(sorted[0] ?? 0)} to ${ms(sorted.at(-1) ?? 0)}; ${APPLIES} changes)`;
}

/** When the first connection was opened whose reads were served as wanted. */
async function connectionWhere(
  port: number,
  primaries: readonly Redis[],
  isWanted: (onPrimaries: number) => boolean,
): Promise<number> {
  const served = async (): Promise<number> => {
    const texts = await Promise.all(primaries.map((primary) => primary.info('commandstats')));
    return texts.reduce((sum, text) => sum + Number(/cmdstat_get:calls=(\d+)/.exec(text)?.[1] ?? 0), 0);
  };
  return await eventually(
    'a connection whose reads go where they should',
    async () => {
      const before = await served();
      const opened = performance.now();
      const client = new Redis({ port, protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => null });
      client.on('error', () => {});
      try {
        // Keys of every shard.
        await Promise.all(Array.from({ length: READS }, (_, index) => client.get(`key:${index}`)));
      } finally {
        client.disconnect();
      }
      return isWanted((await served()) - before) ? opened : undefined;
    },
    { everyMs: 2, deadlineMs: 30_000 },
  );
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
