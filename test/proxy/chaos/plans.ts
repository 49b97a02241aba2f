/**
 * The plans that the proxy is given in a run: another read policy, or another upstream in the place of the one before.
 */
import type { ReadPolicy } from '../../../src/api/objects.ts';
import type { RoutingPlan, Upstream } from '../../../src/plan/routing-plan.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { mirrored } from '../mirrored.ts';
import { planTo } from '../servers.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Random } from './random.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const OP_TIMEOUT_MS = 1_000;

export class Plans {
  policy: ReadPolicy;
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  readonly #policies: readonly ReadPolicy[];
  readonly #mirror: RoutingPlan | undefined;
  #generation = 0;
  #upstream: Upstream;
  /** Since when the policy is in force; Infinity: another one is about to be. */
  #policyAt = Infinity;

  constructor(cluster: ChaosCluster, mirror: ChaosCluster | undefined, random: Random) {
    this.#cluster = cluster;
    this.#random = random;
    // Without a replica nothing is answered under it, and little is seen.
    this.#policies = POLICIES.filter((each) => each !== 'REPLICA' || cluster.shape.replicas > 0);
    this.policy = random.chance(0.4) ? 'MASTER' : random.pick(this.#policies)!;
    this.#mirror = mirror && planTo(mirror.nodes[0]!.port, { mode: 'cluster' });
    this.#upstream = this.#newUpstream();
  }

  /** Since when all reads go to primaries; Infinity: they do not. */
  get masterSince(): number {
    return this.policy === 'MASTER' ? this.#policyAt : Infinity;
  }

  async swap(proxy: Proxy): Promise<void> {
    if (this.#random.chance(0.4)) this.#upstream = this.#newUpstream();
    else this.policy = this.#random.pick(this.#policies)!;
    await this.give(proxy);
  }

  async give(proxy: Proxy): Promise<void> {
    this.#policyAt = Infinity;
    const { ledger } = this.#cluster;
    ledger.note(undefined, `* plan: ${this.policy}, upstream ${this.#generation}`);
    await proxy.update(this.#plan());
    this.#policyAt = performance.now();
  }

  #newUpstream(): Upstream {
    this.#generation += 1;
    const seeds = this.#cluster.membersNow().map(({ port }) => ({ address: '127.0.0.1', port }));
    const [upstream] = planTo(this.#cluster.nodes[0]!.port, { mode: 'cluster' }).upstreams.values();
    if (upstream?.mode !== 'cluster') throw new Error('not a cluster');
    return { ...upstream, seeds, generation: this.#generation };
  }

  #plan(): RoutingPlan {
    const { policy: readPolicy } = this;
    const plan = planTo(this.#cluster.nodes[0]!.port, { mode: 'cluster', readPolicy });
    const main: RoutingPlan = {
      upstreams: new Map([[this.#upstream.id, this.#upstream]]),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, opTimeoutMs: OP_TIMEOUT_MS },
      })),
    };
    if (this.#mirror === undefined) return main;
    const [copies] = this.#mirror.upstreams.values();
    const both = mirrored(main, this.#mirror);
    // As the planner has it: the same object as long as nothing of it has changed.
    return { ...both, upstreams: new Map([...main.upstreams, ['mirror', copies!]]) };
  }
}
