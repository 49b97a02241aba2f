/**
 * Servers that run already, as in docker-compose.yml: the demo only sends its load and looks.
 */
import { Redis } from 'ioredis';

import type { Opened } from './demo.ts';
import { type AskEnvoy, envoyAdmin, policyInForce, type Address } from './envoy-admin.ts';
import { Hopeless, eventually } from './eventually.ts';
import type { Screen } from './screen.ts';
import type { Servers, WatchedNode } from './watch.ts';

export interface RunningServersOptions {
  /** Any node of the Redis Cluster. */
  readonly redis: Address;
  readonly dataPlane: {
    readonly kind: 'envoy' | 'proxy';
    readonly address: Address;
    readonly admin: Address;
  };
  readonly screen: Screen;
  readonly stop: AbortSignal;
}

const LIMIT_MS = 30_000;

/** It is no Redis Cluster, or wants a password, of which the demo has none. */
const NEVER = /cluster support disabled|^NOAUTH/;

type SlotsReply = readonly (readonly [first: number, last: number, ...nodes: readonly [string, number][]])[];

export async function connectToServers(options: RunningServersOptions, opened: Opened): Promise<Servers> {
  const { redis, dataPlane, stop } = options;
  const seed = connect(redis, opened);
  const shards = await options.screen.step(`Redis Cluster at ${redis.host}:${redis.port}`, () =>
    eventually(
      `a whole Redis Cluster at ${redis.host}:${redis.port}`,
      () => {
        if (stop.aborted) throw new Hopeless('stopped');
        return wholeCluster(seed, redis.host);
      },
      { deadlineMs: LIMIT_MS },
    ),
  );
  const nodes = shards.flatMap((shard, index) =>
    shard.map((address): WatchedNode => {
      const client = connect(address, opened);
      return { name: `${address.host}:${address.port}`, shard: index, client };
    }),
  );
  const ask = envoyAdmin(dataPlane.admin);
  const { address } = dataPlane;
  return {
    nodes,
    dataPlane:
      dataPlane.kind === 'envoy'
        ? { name: 'Envoy', address, policyInForce: () => policyInForce(ask) }
        : { name: 'the proxy', address, policyInForce: () => policyOfProxy(ask) },
  };
}

/** Of its first listener; undefined while there is none. */
async function policyOfProxy(ask: AskEnvoy): Promise<string | undefined> {
  const listeners = JSON.parse(await ask('/listeners')) as readonly { readonly readPolicy: string }[];
  return listeners[0]?.readPolicy;
}

/** The nodes of each shard, by the first slot; undefined while slots are missing or a known node is not listed. */
async function wholeCluster(seed: Redis, ownHost: string): Promise<readonly Address[][] | undefined> {
  const info = await seed.cluster('INFO').catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    // What Redis says of its settings does not change by waiting.
    if (NEVER.test(message)) throw new Hopeless(`the Redis that --redis names can't be shown: ${message}`);
    throw error;
  });
  const known = Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1]);
  const reply = (await seed.cluster('SLOTS')) as unknown as SlotsReply;
  const shards = new Map<string, Address[]>();
  for (const [, , ...nodes] of [...reply].sort(([a], [b]) => a - b)) {
    // A node that has not learned its own address leaves it empty: the one that was asked.
    const addresses = nodes.map(([host, port]) => ({ host: host === '' ? ownHost : host, port }));
    const [primary] = addresses;
    if (primary !== undefined) shards.set(`${primary.host}:${primary.port}`, addresses);
  }
  const listed = [...shards.values()].flat().length;
  return info.includes('cluster_state:ok') && listed === known ? [...shards.values()] : undefined;
}

function connect(address: Address, opened: Opened): Redis {
  const client = new Redis({ ...address, protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => 200 });
  // Told where a command fails.
  client.on('error', () => {});
  opened.push(async () => client.disconnect());
  return client;
}
