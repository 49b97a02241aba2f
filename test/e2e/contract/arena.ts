/**
 * Real servers, each behind a recording relay, and a real Envoy and our proxy before them, from the same objects.
 */
import type { TestContext } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../../src/demo/child-process.ts';
import { startEnvoy } from '../../../src/demo/envoy-process.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisNode } from '../../../src/demo/redis-node.ts';
import { staticConfiguration } from '../../../src/envoy/static-configuration.ts';
import type { RoutingPlan } from '../../../src/plan/routing-plan.ts';
import type { Binaries } from '../environment.ts';
import { hostObjects, redisDestination, serviceObjects, documents } from '../objects.ts';
import { planOf } from '../plan.ts';
import { startProxy } from '../proxy-setting.ts';
import { SETTINGS } from './cases.ts';
import { SCRIPT } from './forms.ts';
import { Recorder, startRelay } from './relay.ts';
import { Wire, encode } from './wire.ts';

export interface Plane {
  readonly name: string;
  readonly host: string;
  /** Of each setting. */
  readonly ports: readonly number[];
}

export interface Server {
  /** `a0 primary`: the cluster a, its first shard; `s1`: a plain server. */
  readonly name: string;
  readonly node: RedisNode;
  /** Where it is known to be. */
  readonly relay: number;
}

export interface Arena {
  readonly envoy: Plane;
  readonly proxy: Plane;
  readonly plan: RoutingPlan;
  readonly servers: readonly Server[];
  readonly recorder: Recorder;
  /** Empties every server, and writes to each what is given by its name. */
  refill(seeds: ReadonlyMap<string, readonly (readonly string[])[]>): Promise<void>;
}

const BIND = { envoy: '127.0.0.1', proxy: '127.0.0.2' } as const;

export async function startArena(t: TestContext, { envoy, redis }: Binaries): Promise<Arena> {
  const recorder = new Recorder();
  const folder = await temporaryFolder('contract');
  t.after(() => removeFolder(folder));
  const plain = async (name: string): Promise<Server> => {
    const node = await startRedis({ server: redis.server, folder });
    t.after(() => stopRedis(node));
    return { name, node, relay: await startRelay(t, recorder, { node: name, port: node.port }) };
  };
  const cluster = async (name: string, shards: number): Promise<readonly Server[]> => {
    const started = await RedisCluster.start({ redis, shards, replicas: 1 });
    t.after(() => started.stop());
    return await announced(t, recorder, name, started);
  };
  const [a, b, s0, s1, mirror] = await Promise.all([
    cluster('a', 2),
    cluster('b', 1),
    plain('s0'),
    plain('s1'),
    plain('mirror'),
  ]);
  const ports = await freePorts(SETTINGS.length);
  const upstream = (name: string, mode: 'CLUSTER' | 'PROXY', endpoints: readonly number[]): string =>
    documents(
      ...serviceObjects({ name, port: 6379, endpoints }),
      redisDestination({ name, mode, connectTimeout: '20s' }),
    );
  const seed = (servers: readonly Server[]): number[] => servers.slice(0, 1).map(({ relay }) => relay);
  const routes = [
    { match: { key: { prefix: 'p:' } }, route: { host: 'b' } },
    { match: { key: { prefix: 'r:', removePrefix: true } }, route: { host: 'b' } },
    { match: { key: { prefix: 'm:' } }, route: { host: 'a' }, mirror: [{ route: { host: 'mirror' } }] },
    { match: { key: { prefix: 's:' } }, route: { host: 's' } },
    { route: { host: 'a' } },
  ];
  const text = [
    upstream('a', 'CLUSTER', seed(a)),
    upstream('b', 'CLUSTER', seed(b)),
    upstream('s', 'PROXY', [s0.relay, s1.relay]),
    upstream('mirror', 'PROXY', [mirror.relay]),
    ...SETTINGS.map(({ policy, protocol }, index) =>
      hostObjects({
        name: `listener-${index}`,
        port: ports[index] ?? 0,
        endpoints: seed(a),
        settings: { readPolicy: policy, enableHashtagging: true, opTimeout: '20s' },
        annotations: { protocol, guards: 'off' },
        rules: routes,
      }),
    ),
  ].join('---\n');
  const made = (await planOf(text)).plan;
  const process = await startEnvoy({
    binary: envoy,
    configuration: (socketPath) => withoutHaste(made, socketPath),
  });
  t.after(() => process.stop());
  const listeners = made.listeners.map((each) => ({
    ...each,
    bind: { ...each.bind, address: BIND.proxy },
  }));
  const plan = { ...made, listeners };
  // Nothing is asked twice because the machine is busy.
  await startProxy(t, plan, { hedgeAfterMs: 60_000 });
  const servers = [...a, ...b, s0, s1, mirror];
  for (const { node } of servers) await node.client.script('LOAD', SCRIPT);
  const arena: Arena = {
    envoy: { name: 'Envoy', host: BIND.envoy, ports },
    proxy: { name: 'the proxy', host: BIND.proxy, ports },
    plan,
    servers,
    recorder,
    refill: async (seeds) => {
      await Promise.all(servers.map((server) => refill(server, seeds.get(server.name) ?? [])));
    },
  };
  await Promise.all([arena.envoy, arena.proxy].map(isOpen));
  return arena;
}

interface Configuration {
  readonly static_resources: { readonly clusters: readonly object[]; readonly listeners: readonly object[] };
}

/** Nobody is dead here: a busy machine must not make Envoy believe so, and choose other nodes. */
function withoutHaste(plan: RoutingPlan, socketPath: string): object {
  const { static_resources: resources } = staticConfiguration(plan, (secret) =>
    secret.reveal(),
  ) as Configuration;
  return {
    admin: { address: { pipe: { path: socketPath } } },
    static_resources: {
      ...resources,
      clusters: resources.clusters.map((cluster) => ({
        ...cluster,
        health_checks: [],
        outlier_detection: undefined,
      })),
    },
  };
}

/** Each node says the address of a relay, so that whoever learns of it from the cluster connects there. */
async function announced(
  t: TestContext,
  recorder: Recorder,
  name: string,
  cluster: RedisCluster,
): Promise<readonly Server[]> {
  const shards = await cluster.shards();
  const nameOf = ({ port }: ClusterNode): string => {
    const shard = shards.findIndex(({ primary, replicas }) => primary === port || replicas.includes(port));
    return `${name}${shard} ${shards[shard]?.primary === port ? 'primary' : 'replica'}`;
  };
  const servers = await Promise.all(
    cluster.nodes.map(async (node) => ({
      name: nameOf(node),
      node,
      relay: await startRelay(t, recorder, { node: nameOf(node), port: node.port }),
    })),
  );
  for (const { node, relay } of servers) await node.client.config('SET', 'cluster-announce-port', relay);
  const expected = servers.map(({ relay }) => relay).toSorted((x, y) => x - y);
  for (const { node } of servers) {
    await eventually(
      'every node being known by its relay',
      async () => {
        const slots = JSON.stringify(await node.client.cluster('SLOTS'));
        const info = await node.client.info('replication');
        const isUp = info.includes('role:master') || info.includes('master_link_status:up');
        return isUp && expected.every((port) => slots.includes(`,${port},`)) ? true : undefined;
      },
      { deadlineMs: 30_000 },
    );
  }
  return servers.toSorted((x, y) => x.name.localeCompare(y.name));
}

async function refill({ name, node }: Server, seeds: readonly (readonly string[])[]): Promise<void> {
  if (name.endsWith('replica')) return;
  const wire = await Wire.open('127.0.0.1', node.port, 2);
  const commands = [['FLUSHALL'], ...seeds];
  const replies = await wire.ask(commands.map(encode));
  const wrong = replies.findIndex((reply) => reply.startsWith('-'));
  if (wrong >= 0) throw new Error(`${name}: ${JSON.stringify(commands[wrong])}: ${replies[wrong]}`);
  if (node.busPort !== undefined) {
    await eventually('the replica having it too', async () =>
      (await wire.ask([encode(['WAIT', '1', '1000'])]))[0] === ':1\r\n' ? true : undefined,
    );
  }
  wire.close();
}

/** Every listener answers from the primary of each shard. */
async function isOpen({ host, ports }: Plane): Promise<void> {
  for (const [index, port] of ports.entries()) {
    const protocol = SETTINGS[index]?.protocol === 'RESP3' ? 3 : 2;
    await eventually(
      'an answer from every upstream',
      async () => {
        const wire = await Wire.open(host, port, protocol);
        const keys = ['p:x', 'r:x', 'm:x', 's:x', '1', '2', '3', '4'];
        const replies = await wire.ask(
          keys.flatMap((key) => [encode(['GET', key]), encode(['SETRANGE', key, '0', ''])]),
        );
        wire.close();
        const isThere = (reply: string): boolean => ['$-1\r\n', '_\r\n', ':0\r\n'].includes(reply);
        return replies.length === 16 && replies.every(isThere) ? true : undefined;
      },
      { deadlineMs: 30_000 },
    );
  }
}
