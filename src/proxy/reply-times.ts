/**
 * How long nodes took for their replies, as a histogram of Prometheus. Connections count it in plain numbers, since a call of
 * prom-client's own histogram for each reply would cost more than the reply.
 */
import type { Histogram, Registry } from 'prom-client';

import type { NodeStatus, UpstreamStatus } from './upstream/upstream-status.ts';

const name = 'redpilot_proxy_node_reply_seconds';
const help = 'How long a node took for its replies, over connections that clients share';

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Registers itself in `registry`. */
export function createReplyTimes(
  registry: Registry,
  status: () => readonly (UpstreamStatus & { readonly id: string })[],
): void {
  const get = async (): Promise<object> => {
    const values = status().flatMap(({ id, nodes }) => {
      // The same server may stand in several groups.
      const byAddress = new Map<string, NodeStatus[]>();
      for (const node of nodes) byAddress.set(node.address, [...(byAddress.get(node.address) ?? []), node]);
      return [...byAddress].flatMap(([node, same]) => samplesOf({ upstream: id, node }, same));
    });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  };
  // What a registry asks of a metric, and all that it uses of one.
  registry.registerMetric({ name, get } as unknown as Histogram);
}

/** Each bucket counts those of all before it, too. */
function samplesOf(
  labels: Readonly<Record<string, string>>,
  nodes: readonly NodeStatus[],
): readonly Sample[] {
  let count = 0;
  const buckets = Object.keys(nodes[0]?.repliesWithinMs ?? {}).map((withinMs) => {
    for (const { repliesWithinMs } of nodes) count += repliesWithinMs[withinMs]!;
    const le = withinMs === 'more' ? '+Inf' : String(Number(withinMs) / 1_000);
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
  });
  const tookMs = nodes.reduce((sum, { repliesTookMs }) => sum + repliesTookMs, 0);
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: tookMs / 1_000 },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
