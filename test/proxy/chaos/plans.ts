/**
 * The plans that the proxy is given in a run: another read policy, another upstream in the place of the one before, or
 * routes that lead elsewhere.
 */
import type { Fault, ReadPolicy } from '../../../src/api/objects.ts';
import type { BoundListener, RoutingPlan } from '../../../src/plan/routing-plan.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { mirrored } from '../mirrored.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Random } from './random.ts';
import { Ways } from './routes.ts';
import { SidePlans, planOf } from './side-plans.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
export const OP_TIMEOUT_MS = 1_000;
/** What may fail by order of a RedisService. */
const FAULTY = (
  'get mget set append incrby del mset rpush blpop blmpop xadd xreadgroup xack watch exec ' +
  'eval evalsha eval_ro evalsha_ro fcall fcall_ro script publish spublish scan'
).split(' ');

interface Clusters {
  readonly main: ChaosCluster;
  /** Where some routes lead; undefined: there is one route only. */
  readonly other: ChaosCluster | undefined;
  readonly mirror: ChaosCluster | undefined;
}

export class Plans {
  policy: ReadPolicy;
  readonly #cluster: ChaosCluster;
  readonly #random: Random;
  readonly #policies: readonly ReadPolicy[];
  readonly #mirror: RoutingPlan | undefined;
  readonly #sides: readonly SidePlans[];
  #ways: Ways | undefined;
  #faults: readonly Fault[] = [];
  /** When nodes were last found anew, or others. */
  renewedAt = 0;
  /** Since when the policy is in force; Infinity: another one is about to be. */
  #policyAt = Infinity;

  /** `isNamed`: nodes are found by name; else by the addresses that they have when a plan is made. */
  constructor({ main, other, mirror }: Clusters, random: Random, isNamed: boolean) {
    this.#cluster = main;
    this.#random = random;
    // Without a replica nothing is answered under it, and little is seen.
    const { replicas, isPlain = false } = main.shape;
    this.#policies = POLICIES.filter(
      (each) => replicas > 0 || (isPlain ? each === 'MASTER' : each !== 'REPLICA'),
    );
    const most = random.chance(0.3) ? random.between(10, 40) : undefined;
    const clusters = other === undefined ? [main] : [main, other];
    this.#sides = clusters.map((cluster) => new SidePlans(cluster, random.fork(), isNamed, most));
    if (other !== undefined) this.#ways = new Ways();
    this.policy = random.chance(0.4) ? 'MASTER' : random.pick(this.#policies)!;
    this.#mirror = mirror && planOf(mirror, 'MASTER');
    if (random.chance(0.3)) {
      this.#faults = [
        { type: 'DELAY', percentage: 5, delayMs: random.between(5, 100), commands: FAULTY },
        { type: 'ERROR', percentage: 2, delayMs: random.pick([undefined, 50]), commands: FAULTY },
      ];
    }
  }

  /** Since when all reads go to primaries; Infinity: they do not. */
  get masterSince(): number {
    return this.policy === 'MASTER' ? this.#policyAt : Infinity;
  }

  async swap(proxy: Proxy): Promise<void> {
    if (this.#ways !== undefined && this.#random.chance(0.5)) this.#changeWays(this.#ways);
    else if (this.#random.chance(0.4)) this.#renew();
    else this.policy = this.#random.pick(this.#policies)!;
    await this.give(proxy);
  }

  #changeWays(ways: Ways): void {
    ways.change(this.#random);
    // To another server a cursor means nothing.
    this.renewedAt = performance.now();
  }

  #renew(): void {
    this.renewedAt = performance.now();
    this.#random.pick(this.#sides)!.renew();
  }

  /** Under which every node is read from. */
  async readAll(proxy: Proxy): Promise<void> {
    this.policy = this.#policies.includes('ANY') ? 'ANY' : 'MASTER';
    for (const side of this.#sides) side.useAll();
    this.#faults = [];
    this.#ways = undefined;
    for (const { cluster } of this.#sides) cluster.hasSteadyRoutes = false;
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
    const generations = this.#sides.map(({ generation }) => generation).join(' and ');
    ledger.note(undefined, `* plan: ${this.policy}, upstream ${generations}, ${JSON.stringify(this.#ways)}`);
    await proxy.update(this.#plan());
    this.#policyAt = performance.now();
  }

  #plan(): RoutingPlan {
    const plans = this.#sides.map((side) => side.plan(this.policy));
    const routes = plans.map(({ listeners }) => listeners[0]!.listener.routes.catchAll!);
    const [{ bind, listener }] = plans[0]!.listeners as readonly [BoundListener];
    const ways = this.#ways;
    const main: RoutingPlan = {
      // Of the other side also where nothing leads there.
      upstreams: new Map(plans.flatMap(({ upstreams }) => [...upstreams])),
      listeners: [
        {
          bind,
          listener: {
            ...listener,
            opTimeoutMs: OP_TIMEOUT_MS,
            faults: this.#faults,
            routes: {
              catchAll: routes[ways?.catchAll ?? 0],
              prefixes: ways?.prefixes(routes) ?? [],
              caseInsensitive: false,
            },
          },
        },
      ],
    };
    if (this.#mirror === undefined) return main;
    const [copies] = this.#mirror.upstreams.values();
    const both = mirrored(main, this.#mirror);
    // As the planner has it: the same object as long as nothing of it has changed.
    return { ...both, upstreams: new Map([...main.upstreams, ['mirror', copies!]]) };
  }
}
