/**
 * One Redis server of our own on loopback, and a connection to it.
 */
import { Redis } from 'ioredis';

import { freePorts, startProcess, type Running } from './child-process.ts';
import { Hopeless, eventually } from './eventually.ts';

/** Configuration directives by name, as in redis.conf; a list: each of its lines. */
export type RedisConfig = Readonly<Record<string, string | readonly string[]>>;

export interface RedisNode {
  readonly port: number;
  /** Of the cluster bus; undefined: not a cluster node. */
  readonly busPort: number | undefined;
  readonly process: Running;
  /** A connection for questions about the node; reconnects by itself. */
  readonly client: Redis;
}

export interface StartOptions {
  readonly server: string;
  readonly folder: string;
  readonly config?: RedisConfig;
  /** Where it listened before; absent: a free one. */
  readonly port?: number;
  /** Of the cluster bus; absent: not a cluster node. */
  readonly busPort?: number;
}

/** Ready for commands when it resolves. */
export async function startRedis(options: StartOptions): Promise<RedisNode> {
  const { server, folder, busPort } = options;
  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const cluster: RedisConfig =
    busPort === undefined
      ? {}
      : {
          'cluster-enabled': 'yes',
          'cluster-port': String(busPort),
          'cluster-config-file': `nodes-${port}.conf`,
          // A replica of a primary that has just died must be allowed to follow it, however long it was apart.
          'cluster-replica-validity-factor': '0',
        };
  const config: RedisConfig = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'no',
    dbfilename: `dump-${port}.rdb`,
    'repl-diskless-sync': 'yes',
    'repl-diskless-sync-delay': '0',
    // Redis 7.0 lists a replica in CLUSTER SLOTS only once it has copied something: at the first ping of its primary.
    'repl-ping-replica-period': '1',
    'enable-debug-command': 'yes',
    ...cluster,
    ...options.config,
  };
  const args = Object.entries(config).flatMap(([name, value]) =>
    typeof value === 'string'
      ? [`--${name}`, value]
      : value.flatMap((line) => [`--${name}`, ...line.split(' ')]),
  );
  const process = await startProcess(server, args);
  const password = config['requirepass'];
  const client = new Redis({
    host: '127.0.0.1',
    port,
    protocol: 2,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
    connectTimeout: 1_000,
    ...(typeof password === 'string' ? { password } : {}),
  });
  // Told where a command fails; without a listener ioredis writes every failed attempt to the console.
  client.on('error', () => {});
  try {
    await eventually(`an answer of Redis on port ${port}`, async () => {
      if (!process.isRunning()) throw new Hopeless(`Redis on port ${port} ended:\n${process.lastLines()}`);
      return (await client.ping()) === 'PONG' ? true : undefined;
    });
  } catch (error) {
    client.disconnect();
    await process.stop();
    throw error;
  }
  return { port, busPort, process, client };
}

export async function stopRedis({ client, process }: RedisNode): Promise<void> {
  client.disconnect();
  await process.stop();
}
