/**
 * What plans say of one cluster, or of plain servers: where they are, and how a route leads there.
 */
import type { ReadPolicy } from '../../../src/api/objects.ts';
import type { RoutingPlan, Upstream } from '../../../src/plan/routing-plan.ts';
import { planTo } from '../servers.ts';
import type { ChaosCluster } from './cluster.ts';
import { PlainPlans } from './plain-plans.ts';
import type { Random } from './random.ts';
import { UNVERIFIED } from './secured.ts';

export function planOf({ port, name }: ChaosCluster, readPolicy: ReadPolicy): RoutingPlan {
  return planTo(port, { mode: 'cluster', upstream: { address: name, port }, readPolicy });
}

export class SidePlans {
  readonly cluster: ChaosCluster;
  readonly #isNamed: boolean;
  readonly #plain: PlainPlans | undefined;
  /** Of single clients, with those that all of them share. */
  readonly #maxConnections: number | undefined;
  #upstream: Upstream | undefined;
  #generation = 0;

  /** `isNamed`: nodes are found by name; else by the addresses that they have when a plan is made. */
  constructor(cluster: ChaosCluster, random: Random, isNamed: boolean, maxConnections: number | undefined) {
    [this.cluster, this.#isNamed, this.#maxConnections] = [cluster, isNamed, maxConnections];
    this.#plain = cluster.isPlain ? new PlainPlans(cluster, random, isNamed) : undefined;
    this.renew();
  }

  /** Nodes are found anew, or others. */
  renew(): void {
    this.#generation += 1;
    if (this.#plain === undefined) this.#upstream = this.#newUpstream();
    else this.#plain.renew();
  }

  useAll(): void {
    this.#plain?.useAll();
  }

  get generation(): number {
    return this.#generation;
  }

  /** With one listener, and one route. */
  plan(readPolicy: ReadPolicy): RoutingPlan {
    const plan = this.#plain?.plan(readPolicy) ?? planOf(this.cluster, readPolicy);
    const upstream = this.#upstream;
    return upstream === undefined ? plan : { ...plan, upstreams: new Map([[upstream.id, upstream]]) };
  }

  #newUpstream(): Upstream {
    const { port, name, secureContext } = this.cluster;
    const hosts = this.#isNamed ? [name] : this.cluster.membersNow().map(({ host }) => host);
    const seeds = hosts.map((address) => ({ address, port }));
    const [upstream] = planOf(this.cluster, 'MASTER').upstreams.values();
    if (upstream?.mode !== 'cluster') throw new Error('not a cluster');
    return {
      ...upstream,
      seeds,
      generation: this.#generation,
      maxConnections: this.#maxConnections,
      tls: secureContext && UNVERIFIED,
    };
  }
}
