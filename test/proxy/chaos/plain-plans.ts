/**
 * What plans say of plain servers: keys spread over some of them, or one of which others are replicas.
 */
import type { ReadPolicy } from '../../../src/api/objects.ts';
import { addressOf } from '../../../src/api/host-port.ts';
import type { ProxyServers, RoutingPlan, Upstream } from '../../../src/plan/routing-plan.ts';
import { planTo } from '../servers.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Random } from './random.ts';
import { UNVERIFIED } from './secured.ts';
import type { ShardView } from './state.ts';

export class PlainPlans {
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  readonly #isNamed: boolean;
  #chosen: readonly string[];
  /** The same object as long as nothing of it has changed. */
  readonly #made = new Map<string, Upstream>();

  /** `isNamed`: servers are found by name; else a plan has their addresses. */
  constructor(cluster: ChaosCluster, random: Random, isNamed: boolean) {
    [this.#cluster, this.#random, this.#isNamed] = [cluster, random, isNamed];
    this.#chosen = cluster.hostsOf(({ primary }) => [primary]);
  }

  /** Other servers, or the same by other objects. */
  renew(): void {
    const all = this.#cluster.hostsOf(({ primary }) => [primary]);
    const some = all.filter(() => this.#random.chance(0.7));
    this.#chosen = some.length > 0 ? some : all;
    this.#made.clear();
  }

  useAll(): void {
    // A plan may have been made while a replica was none.
    this.#chosen = this.#cluster.hostsOf(({ primary }) => [primary]);
    this.#made.clear();
  }

  plan(readPolicy: ReadPolicy): RoutingPlan {
    const { port, names, shape } = this.#cluster;
    const plan = planTo(port, {
      mode: 'proxy',
      upstream: { address: names.primaries, port },
      reads: shape.replicas > 0 ? { address: names.replicas, port } : undefined,
      readPolicy,
    });
    const upstreams = Array.from(plan.upstreams, ([id, upstream]) => {
      const made = this.#made.get(id) ?? this.#placed(upstream);
      this.#made.set(id, made);
      return [id, made] as const;
    });
    return {
      upstreams: new Map(upstreams),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, hashTags: true },
      })),
    };
  }

  #placed(plain: Upstream): Upstream {
    if (plain.mode === 'unavailable') return plain;
    const upstream = { ...plain, tls: this.#cluster.secureContext && UNVERIFIED };
    if (this.#isNamed) return upstream;
    if (upstream.mode === 'proxy') return { ...upstream, servers: this.#endpoints(upstream.servers) };
    if (upstream.mode !== 'reads') return upstream;
    return {
      ...upstream,
      groups: upstream.groups.map((group) => group.map((servers) => this.#endpoints(servers))),
    };
  }

  #endpoints(servers: ProxyServers): ProxyServers {
    const { hostsOf, names, port } = this.#cluster;
    const isReplicas = servers.kind === 'dns' && servers.name === names.replicas;
    const hosts = isReplicas ? hostsOf(({ replicas }: ShardView) => replicas) : this.#chosen;
    const endpoints = hosts.map((address) => ({ address, port, hashKey: addressOf(address, port) }));
    return { kind: 'endpoints', endpoints };
  }
}
