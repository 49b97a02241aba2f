/**
 * What sidecars cost the nodes of a Redis Cluster: connections and commands a second, idle and while a primary dies.
 *
 * Real Envoys, as many as are asked for, are counted; to 200 the figures are multiplied. The other sidecars are simulated,
 * so that the control plane has 200 streams.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { pino } from 'pino';

import { startControlPlane } from '../src/commands/control-plane.ts';
import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../src/demo/redis-cluster.ts';
import { hostObjects } from '../test/e2e/objects.ts';
import { connectEnvoy } from '../test/e2e/sidecar.ts';
import { SimulatedSidecar } from './simulated-sidecar.ts';

const SIDECARS = 200;
const DEFAULT_ENVOYS = 25;
const SETTLE_MS = 5_000;
const IDLE_MS = 20_000;
/** Long enough for the election and for everybody to have learnt of it. */
const FAILOVER_MS = 10_000;
const SAMPLE_MS = 500;
const LOCAL = { host: '127.0.0.1', port: 0 };

export async function run(args: readonly string[]): Promise<void> {
  const envoys = Number(args[0] ?? DEFAULT_ENVOYS);
  const ends: (() => Promise<void> | void)[] = [];
  const context = { after: (end: () => Promise<void> | void): void => void ends.push(end) };
  try {
    await measure(context, envoys);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function measure(
  context: { after(end: () => Promise<void> | void): void },
  envoys: number,
): Promise<void> {
  const [binary, redis] = [await findEnvoy(), await findRedis()];
  const cluster = await RedisCluster.start({ redis });
  context.after(() => cluster.stop());
  const folder = await temporaryFolder('sidecars');
  context.after(() => removeFolder(folder));
  const [port = 0] = await freePorts(1);
  const endpoints = cluster.nodes.map((node) => node.port).slice(0, 1);
  const objects = hostObjects({ name: 'cache', port, endpoints, mode: 'CLUSTER' });
  await writeFile(join(folder, 'cache.yaml'), objects);
  const controlPlane = await startControlPlane({
    configPaths: [folder],
    xdsAddress: LOCAL,
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe: false,
    log: pino({ level: 'silent' }),
  });
  context.after(() => controlPlane.close());
  const { xdsAddress } = controlPlane;
  const alone = await watch(cluster.nodes, IDLE_MS);

  for (let index = 0; index < SIDECARS - envoys; index += 1) {
    const nodeId = `simulated-${index}`;
    const sidecar = new SimulatedSidecar({ address: xdsAddress, variant: 'delta', nodeId, drainSeconds: 3 });
    context.after(() => sidecar.leave());
  }
  for (let index = 0; index < envoys; index += 1) {
    const bind = `127.0.1.${index + 1}`;
    await connectEnvoy(context, { envoy: binary, xdsAddress, nodeId: `real-${index}`, node: { bind } });
    await eventually('answers of all shards', () => useOnce(bind, port), { deadlineMs: 60_000 });
  }
  await sleep(SETTLE_MS);
  const idle = await watch(cluster.nodes, IDLE_MS);
  const [shard] = await cluster.shards();
  const victim = cluster.node(shard?.primary ?? 0);
  const others = cluster.nodes.filter((node) => node !== victim);
  const dying = watch(others, FAILOVER_MS);
  await cluster.kill(victim);
  const failover = await dying;

  const print = (what: string, cost: Cost, count: number): void => {
    const times = SIDECARS / envoys;
    const of = (pick: (cost: Cost) => number): string => {
      const added = Math.max(0, pick(cost) - pick(alone) * (count / cluster.nodes.length));
      return `${Math.round(added / count)} | ${Math.round((added * times) / count)}`;
    };
    process.stdout.write(`| ${what} | ${of((c) => c.connections)} | ${of((c) => c.commands)} |\n`);
  };
  process.stdout.write(
    `${redis.flavour} ${redis.version}, ${cluster.nodes.length} nodes, ${envoys} real Envoys among ${SIDECARS} streams; of a node\n\n` +
      `| | connections, ${envoys} | ${SIDECARS} | commands a second, ${envoys} | ${SIDECARS} |\n|---|---|---|---|---|\n`,
  );
  print('idle', idle, cluster.nodes.length);
  print('a primary dies: busiest half second', failover, others.length);
}

/** A read and a write of each shard, so that the connections are there. */
async function useOnce(host: string, port: number): Promise<true> {
  const client = new Redis({ host, port, protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await Promise.all(Array.from({ length: 12 }, (_, index) => client.set(`key:${index}`, 'value')));
    return true;
  } finally {
    client.disconnect();
  }
}

/** Of all nodes together. */
interface Cost {
  /** The most at one time. */
  readonly connections: number;
  /** A second; over the whole time, or in the busiest half second where that is asked for. */
  readonly commands: number;
}

async function watch(nodes: readonly ClusterNode[], durationMs: number): Promise<Cost> {
  const isBrief = durationMs === FAILOVER_MS;
  const began = performance.now();
  const first = await sample(nodes);
  let last = first;
  let [connections, busiest] = [first.connections, 0];
  while (performance.now() - began < durationMs) {
    await sleep(SAMPLE_MS);
    const now = await sample(nodes);
    connections = Math.max(connections, now.connections);
    busiest = Math.max(busiest, ((now.commands - last.commands) * 1_000) / (now.atMs - last.atMs));
    last = now;
  }
  const mean = ((last.commands - first.commands) * 1_000) / (last.atMs - first.atMs);
  return { connections, commands: isBrief ? busiest : mean };
}

async function sample(nodes: readonly ClusterNode[]): Promise<Cost & { readonly atMs: number }> {
  const texts = await Promise.all(nodes.map(({ client }) => client.info()));
  const sum = (pattern: RegExp): number =>
    texts.reduce((total, text) => total + Number(pattern.exec(text)?.[1] ?? 0), 0);
  return {
    connections: sum(/^connected_clients:(\d+)/m),
    commands: sum(/^total_commands_processed:(\d+)/m),
    atMs: performance.now(),
  };
}
