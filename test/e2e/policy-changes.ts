/**
 * Changes of the read policy: every one of them in a row, and how to see which policy a connection has.
 */
import { Redis } from 'ioredis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, obeys, splitByRole, type Counts, type Split } from '../../src/demo/traffic.ts';
import { POLICIES } from './objects.ts';
import type { Sidecar } from './sidecar.ts';

/** A command that no load here sends, so that the probe's reads can be told from it. */
const PROBE = { read: 'strlen', write: 'setrange' };
const KEYS = Array.from({ length: 30 }, (_, index) => `key:${index}`);

/** A round trip through every ordered pair of policies, begun and ended with MASTER. */
export function everyChange(): readonly ReadPolicy[] {
  const steps: ReadPolicy[] = [];
  const left = new Set(
    POLICIES.flatMap((from) => POLICIES.filter((to) => to !== from).map((to) => `${from} ${to}`)),
  );
  // An Eulerian circuit of the complete directed graph, by Hierholzer's walk.
  const stack: ReadPolicy[] = ['MASTER'];
  for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
    const next = POLICIES.find((to) => left.has(`${at} ${to}`));
    if (next === undefined) {
      steps.unshift(at);
      stack.pop();
    } else {
      left.delete(`${at} ${next}`);
      stack.push(next);
    }
  }
  return steps;
}

/** Who answers thirty reads of one connection. */
export async function probe(cluster: RedisCluster, client: Redis): Promise<Split> {
  const before = await counts(cluster);
  await Promise.all(KEYS.map((key) => client.strlen(key)));
  const after = await counts(cluster);
  return splitByRole([...after].map(([port, now]) => between(before.get(port), now)));
}

async function counts(cluster: RedisCluster): Promise<ReadonlyMap<number, Counts>> {
  return new Map(
    await Promise.all(
      cluster.nodes.map(async ({ port, client }) => [port, await countsOf(client, PROBE)] as const),
    ),
  );
}

/** Of the listener that takes new connections: while every node is up, the nodes can't tell PREFER_ from the rest. */
async function policyInForce({ envoy }: Sidecar): Promise<string> {
  const dump = await envoy.admin('/config_dump?resource=dynamic_listeners');
  return /"read_policy": "([A-Z_]+)"/.exec(dump)?.[1] ?? 'MASTER';
}

/** Opens connections until one reads by the policy; gives the moment when that one was made. */
export async function newConnectionWith(
  policy: ReadPolicy,
  setting: { readonly sidecar: Sidecar; readonly cluster: RedisCluster; readonly port: number },
): Promise<number> {
  const { sidecar, cluster, port } = setting;
  return await eventually(
    `a new connection reading by ${policy}`,
    async () => {
      if ((await policyInForce(sidecar)) !== policy) return undefined;
      const fresh = new Redis({ host: '127.0.0.1', port, protocol: 2 });
      fresh.on('error', () => {});
      let madeAt = Number.NaN;
      fresh.once('connect', () => (madeAt = Date.now()));
      const split = await probe(cluster, fresh).finally(() => fresh.disconnect());
      return obeys(policy, split) === true ? madeAt : undefined;
    },
    { everyMs: 5 },
  );
}
