/**
 * What `proxy` measures: each as a process of its own in front of three primaries, one worker each.
 */
import { access, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findEnvoy, type RedisBinary } from '../src/demo/binaries.ts';
import { freePorts, startProcess, temporaryFolder, type Running } from '../src/demo/child-process.ts';
import { startRedis } from '../src/demo/redis-node.ts';
import { startStaticSidecar } from './static-sidecar.ts';

export interface Target {
  readonly name: string;
  readonly port: number;
  readonly process: Running;
  stop(): Promise<void>;
}

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** What stands behind all others, without any of them: no proxy can be better, and the rest is the load's and the machine's. */
export async function startRedisTarget(redis: RedisBinary): Promise<Target> {
  const folder = await temporaryFolder('direct');
  const { port, process, client } = await startRedis({ server: redis.server, folder });
  return {
    name: 'Redis itself',
    port,
    process,
    stop: async () => {
      client.disconnect();
      await process.stop();
    },
  };
}

/** undefined: it is not installed. */
export async function startNutcracker(redis: RedisBinary): Promise<Target | undefined> {
  const binary = '/usr/sbin/nutcracker';
  if (
    await access(binary).then(
      () => false,
      () => true,
    )
  )
    return undefined;
  const folder = await temporaryFolder('nutcracker');
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ server: redis.server, folder })));
  const [port = 0, stats = 0] = await freePorts(2);
  const file = join(folder, 'nutcracker.yml');
  const list = servers.map((server) => `   - 127.0.0.1:${server.port}:1\n`).join('');
  await writeFile(
    file,
    `pool:\n  listen: 127.0.0.1:${port}\n  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  servers:\n${list}`,
  );
  const process = await startProcess(binary, ['-c', file, '-s', String(stats), '-a', '127.0.0.1', '-v', '0']);
  return {
    name: 'nutcracker',
    port,
    process,
    stop: async () => {
      await process.stop();
      for (const server of servers) {
        server.client.disconnect();
        await server.process.stop();
      }
    },
  };
}

/** What Envoy's documentation recommends to gather before a write, for as long as it does by default (3 ms). */
const BATCHING = { maxBufferSizeBeforeFlush: 1_024 };

/** As our control plane sets it up: without batching unless it is asked for. */
export async function startEnvoyTarget(seed: number, batches: boolean): Promise<Target> {
  const binary = await findEnvoy();
  const { envoy, ports } = await startStaticSidecar({
    binary,
    seed,
    policies: ['MASTER'],
    ...(batches ? { settings: BATCHING } : {}),
  });
  return {
    name: batches ? 'Envoy that batches' : 'Envoy',
    port: ports.get('MASTER') ?? 0,
    process: envoy.process,
    stop: () => envoy.stop(),
  };
}

export async function startProxyTarget(seed: number, nodeArgs: readonly string[]): Promise<Target> {
  const [port = 0] = await freePorts(1);
  const child = await startProcess(process.execPath, [
    ...nodeArgs,
    CLI,
    'proxy',
    '--upstream',
    `127.0.0.1:${seed}`,
    '--listen',
    `127.0.0.1:${port}`,
    '--admin-address',
    '127.0.0.1:0',
    '--log-level',
    'warn',
  ]);
  return { name: 'redpilot proxy', port, process: child, stop: () => child.stop() };
}

/** CPU time used so far by all threads that are still there, in seconds, to the nanosecond: user and system. */
export async function cpuSeconds(pid: number): Promise<number> {
  const tasks = await readdir(`/proc/${pid}/task`);
  const used = tasks.map(async (task) => {
    const stat = await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0');
    return Number(stat.split(' ', 1)[0]) / 1e9;
  });
  return (await Promise.all(used)).reduce((sum, seconds) => sum + seconds, 0);
}

export async function memoryMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024;
}
