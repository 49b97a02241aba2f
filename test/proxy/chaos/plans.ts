/**
 * The plans that the proxy is given in a run: another read policy, or another upstream in the place of the one before.
 */
import type { Fault, ReadPolicy } from '../../../src/api/objects.ts';
import type { RoutingPlan, Upstream } from '../../../src/plan/routing-plan.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { mirrored } from '../mirrored.ts';
import { planTo } from '../servers.ts';
import type { ChaosCluster } from './cluster.ts';
import { PlainPlans } from './plain-plans.ts';
import type { Random } from './random.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const OP_TIMEOUT_MS = 1_000;
/** What may fail by order of a RedisService. */
const FAULTY = (
  'get mget set append incrby del mset rpush blpop watch exec ' +
  'eval evalsha eval_ro evalsha_ro script publish spublish scan'
).split(' ');

function planOf({ port, name }: ChaosCluster, readPolicy: ReadPolicy): RoutingPlan {
  return planTo(port, { mode: 'cluster', upstream: { address: name, port }, readPolicy });
}

export class Plans {
  policy: ReadPolicy;
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  readonly #policies: readonly ReadPolicy[];
  readonly #mirror: RoutingPlan | undefined;
  readonly #isNamed: boolean;
  /** Of single clients, with those that all of them share. */
  readonly #maxConnections: number | undefined;
  readonly #plain: PlainPlans | undefined;
  #faults: readonly Fault[] = [];
  #generation = 0;
  /** When nodes were last found anew, or others. */
  renewedAt = 0;
  #upstream: Upstream | undefined;
  /** Since when the policy is in force; Infinity: another one is about to be. */
  #policyAt = Infinity;

  /** `isNamed`: nodes are found by name; else by the addresses that they have when a plan is made. */
  constructor(cluster: ChaosCluster, mirror: ChaosCluster | undefined, random: Random, isNamed: boolean) {
    this.#cluster = cluster;
    this.#isNamed = isNamed;
    this.#random = random;
    // Without a replica nothing is answered under it, and little is seen.
    const { replicas, isPlain = false } = cluster.shape;
    this.#policies = POLICIES.filter(
      (each) => replicas > 0 || (isPlain ? each === 'MASTER' : each !== 'REPLICA'),
    );
    this.#plain = isPlain ? new PlainPlans(cluster, random.fork(), isNamed) : undefined;
    this.policy = random.chance(0.4) ? 'MASTER' : random.pick(this.#policies)!;
    this.#mirror = mirror && planOf(mirror, 'MASTER');
    this.#maxConnections = random.chance(0.3) ? random.between(10, 40) : undefined;
    if (random.chance(0.3)) {
      this.#faults = [
        { type: 'DELAY', percentage: 5, delayMs: random.between(5, 100), commands: FAULTY },
        { type: 'ERROR', percentage: 2, delayMs: random.pick([undefined, 50]), commands: FAULTY },
      ];
    }
    this.#renew();
  }

  /** Since when all reads go to primaries; Infinity: they do not. */
  get masterSince(): number {
    return this.policy === 'MASTER' ? this.#policyAt : Infinity;
  }

  async swap(proxy: Proxy): Promise<void> {
    if (this.#random.chance(0.4)) this.#renew();
    else this.policy = this.#random.pick(this.#policies)!;
    await this.give(proxy);
  }

  /** Under which every node is read from. */
  async readAll(proxy: Proxy): Promise<void> {
    this.policy = this.#policies.includes('ANY') ? 'ANY' : 'MASTER';
    this.#plain?.useAll();
    this.#faults = [];
    await this.give(proxy);
  }

  /** Under which only some nodes may be read from, whatever happens: but while slots move, when primaries know more. */
  get strictPolicies(): readonly ReadPolicy[] {
    const { hasMigrated } = this.#cluster;
    return this.#policies.filter((each) => each === 'MASTER' || (each === 'REPLICA' && !hasMigrated));
  }

  async give(proxy: Proxy, policy = this.policy): Promise<void> {
    this.#policyAt = Infinity;
    this.policy = policy;
    const { ledger } = this.#cluster;
    ledger.note(undefined, `* plan: ${this.policy}, upstream ${this.#generation}`);
    await proxy.update(this.#plan());
    this.#policyAt = performance.now();
  }

  #renew(): void {
    this.renewedAt = performance.now();
    this.#generation += 1;
    if (this.#plain === undefined) this.#upstream = this.#newUpstream();
    else this.#plain.renew();
  }

  #newUpstream(): Upstream {
    const { port, name } = this.#cluster;
    const hosts = this.#isNamed ? [name] : this.#cluster.membersNow().map(({ host }) => host);
    const seeds = hosts.map((address) => ({ address, port }));
    const [upstream] = planOf(this.#cluster, 'MASTER').upstreams.values();
    if (upstream?.mode !== 'cluster') throw new Error('not a cluster');
    return { ...upstream, seeds, generation: this.#generation, maxConnections: this.#maxConnections };
  }

  #plan(): RoutingPlan {
    const { policy: readPolicy } = this;
    const plan = this.#plain?.plan(readPolicy) ?? planOf(this.#cluster, readPolicy);
    const main: RoutingPlan = {
      upstreams:
        this.#upstream === undefined ? plan.upstreams : new Map([[this.#upstream.id, this.#upstream]]),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, opTimeoutMs: OP_TIMEOUT_MS, faults: this.#faults },
      })),
    };
    if (this.#mirror === undefined) return main;
    const [copies] = this.#mirror.upstreams.values();
    const both = mirrored(main, this.#mirror);
    // As the planner has it: the same object as long as nothing of it has changed.
    return { ...both, upstreams: new Map([...main.upstreams, ['mirror', copies!]]) };
  }
}
