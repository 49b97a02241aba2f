/**
 * One seed: a scripted cluster, a proxy before it, clients that ask, faults; then all is well again, and nothing may be left.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';

import type { ReadPolicy } from '../../../src/api/objects.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../../src/plan/routing-plan.ts';
import { Proxy } from '../../../src/proxy/proxy.ts';
import { planTo } from '../servers.ts';
import { ChaosClient, SHARED_LIST } from './client.ts';
import type { Scene } from './client-connection.ts';
import { ChaosCluster } from './cluster.ts';
import { FAULT_NAMES, doHarm } from './faults.ts';
import { Ledger } from './ledger.ts';
import { Random } from './random.ts';
import { slotOfKey } from './state.ts';
import { mirrored } from '../mirrored.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const OP_TIMEOUT_MS = 1_000;
const FAILOVER_WAIT_MS = 1_500;
/** Much more than the two, and whatever is before a command: only what hangs is meant. */
const LONGEST_MS = 10_000;
const SETTLED_MS = 20_000;
const SHARED_KEYS = ['{x0}s', '{x1}s', '{x2}s', '{x0}n'];

/** Under these no read is refused or lost. */
const HARMLESS = ['late', 'in pieces', 'lag', 'plan'];

export interface ChaosOptions {
  readonly forMs: number;
  readonly clients: number;
  /** undefined: some, as the seed decides. */
  readonly faults?: readonly string[] | undefined;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

interface Parts {
  readonly cluster: ChaosCluster;
  readonly mirror: ChaosCluster | undefined;
  readonly proxy: Proxy;
  readonly ledger: Ledger;
  readonly clients: readonly ChaosClient[];
}

export async function runSeed(seed: number, options: ChaosOptions): Promise<Outcome> {
  const random = new Random(seed);
  const ledger = new Ledger();
  const shape = {
    shards: random.between(2, 4),
    replicas: random.pick([0, 1, 1, 2, 2, 2])!,
    gossipMs: random.pick([0, 50, 400])!,
  };
  const cluster = await ChaosCluster.start(shape, ledger, random.fork());
  const mirrorLedger = random.chance(0.3) ? new Ledger() : undefined;
  const mirror =
    mirrorLedger &&
    (await ChaosCluster.start({ shards: 1, replicas: 0, gossipMs: 0 }, mirrorLedger, random.fork()));
  mirror?.nodes[0]?.behaves({ late: 0.01, lateMs: 100, resetBefore: 0.005, resetAfter: 0.005 });

  let generation = 0;
  // Without a replica nothing is answered under it, and little is seen.
  const policies = shape.replicas > 0 ? POLICIES : POLICIES.filter((each) => each !== 'REPLICA');
  let policy: ReadPolicy = random.chance(0.4) ? 'MASTER' : random.pick(policies)!;
  let policyAt = performance.now();
  const seeds = cluster.nodes.map(({ port }) => ({ address: '127.0.0.1', port }));
  const upstreams = new Map<string, RoutingPlan>();
  const planOf = (readPolicy: ReadPolicy): RoutingPlan => {
    const key = `${readPolicy} ${generation}`;
    const first = upstreams.get(`first ${generation}`);
    const known = upstreams.get(key);
    if (known !== undefined) return known;
    let plan = planTo(seeds[0]!.port, { mode: 'cluster', readPolicy });
    const [id = ''] = plan.upstreams.keys();
    const upstream = first?.upstreams.get(id) ?? {
      ...plan.upstreams.get(id)!,
      seeds,
      generation,
    };
    plan = {
      upstreams: new Map([[id, upstream as never]]),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, opTimeoutMs: OP_TIMEOUT_MS },
      })),
    };
    if (mirror !== undefined) {
      const to = upstreams.get('mirror') ?? planTo(mirror.nodes[0]!.port, { mode: 'cluster' });
      upstreams.set('mirror', to);
      plan = mirrored(plan, to);
      // One and the same in all plans.
      const copies = upstreams.get('copies') ?? plan;
      upstreams.set('copies', copies);
      plan = {
        ...plan,
        upstreams: new Map([...plan.upstreams, ['mirror', copies.upstreams.get('mirror')!]]),
      };
    }
    upstreams.set(`first ${generation}`, first ?? plan);
    upstreams.set(key, plan);
    return plan;
  };
  const log = pino(
    { base: null, level: 'warn' },
    { write: (line) => ledger.note(undefined, `log ${line.trim()}`) },
  );
  const proxy = await Proxy.create({
    hedgeAfterMs: random.pick([30, 200])!,
    failoverWaitMs: FAILOVER_WAIT_MS,
    maxClients: 1_000,
    drainMs: 2_000,
    log,
  });
  const rejected = (reason: unknown): void => {
    ledger.violation(`an unhandled rejection: ${String((reason as Error)?.stack ?? reason)}`, []);
  };
  process.on('unhandledRejection', rejected);
  const swapPlan = async (): Promise<void> => {
    policyAt = Infinity;
    if (random.chance(0.4)) generation += 1;
    else policy = random.pick(policies)!;
    ledger.note(undefined, `* plan: ${policy}, upstream ${generation}`);
    await proxy.update(planOf(policy));
    policyAt = performance.now();
  };
  try {
    await proxy.update(planOf(policy));
    await eventually('ready', () => proxy.notReady() === undefined || undefined);
    const [address = ''] = [...proxy.addresses().values()];
    const port = Number(address.split(':').pop());
    const chosen = FAULT_NAMES.filter(() => random.chance(0.4));
    const harms = options.faults ?? (chosen.length === 0 ? ['resets all'] : chosen);
    const scene: Scene = {
      ledger,
      mirrored: mirrorLedger,
      port: () => port,
      masterSince: () => (policy === 'MASTER' ? policyAt : Infinity),
      sharedKeys: SHARED_KEYS,
      mayDisconnect: random.chance(0.7),
      mayTransact: random.chance(0.7),
      mayBlock: random.chance(0.7),
      longestMs: LONGEST_MS,
      isOrderly: harms.every((harm) => HARMLESS.includes(harm)),
    };
    const names = Array.from({ length: options.clients }, (_, index) => `c${index}`);
    const clients = names.map((name) => new ChaosClient(scene, random.fork(), name));
    const runs = clients.map(async (client) => await client.run());
    const keys = [
      ...SHARED_KEYS,
      SHARED_LIST,
      ...names.flatMap((name) => [0, 1, 2].map((tag) => `{${name}.${tag}}`)),
    ];
    const slots = [...new Set(keys.map(slotOfKey))];
    ledger.note(undefined, `* ${JSON.stringify({ ...shape, policy, faults: harms })}`);
    const pace = { forMs: options.forMs, everyMs: random.pick([30, 100, 300])! };
    const faults = await doHarm({ cluster, random: random.fork(), slots, swapPlan }, harms, pace);
    await sleep(300);
    for (const client of clients) client.stop();
    await Promise.all(runs);
    await healed({ cluster, mirror, proxy, ledger, clients });
    const slowestMs = Math.max(...clients.map((client) => client.slowestMs));
    if (mirrorLedger !== undefined)
      ledger.violations.push(...mirrorLedger.violations.map((violation) => `mirror: ${violation}`));
    return { violations: ledger.violations, faults, counts: ledger.counts, slowestMs };
  } finally {
    await proxy.close();
    process.off('unhandledRejection', rejected);
    await cluster.close();
    await mirror?.close();
  }
}

/** Nothing may be left of the faults, and of clients that have gone. */
async function healed({ cluster, proxy, ledger, clients }: Parts): Promise<void> {
  const settled = async (what: string, look: () => boolean, seen: () => string): Promise<void> => {
    await eventually(what, () => look() || undefined, { deadlineMs: SETTLED_MS, seen }).catch(
      (problem: Error) => ledger.violation(problem.message, []),
    );
  };
  await settled(
    'every reply',
    () => clients.every(({ unanswered }) => unanswered.length === 0),
    () => clients.flatMap(({ unanswered }) => unanswered.slice(0, 2)).join('; '),
  );
  const states = (): readonly string[] =>
    proxy.status().flatMap(({ nodes }) => nodes.map(({ address, state }) => `${address} ${state}`));
  await settled(
    'every node being fit',
    () => states().length >= cluster.nodes.length && states().every((state) => state.endsWith(' fit')),
    () => states().join('; '),
  );
  for (const client of clients) client.leave();
  await settled(
    'no client being left',
    () => proxy.clients === 0,
    () => String(proxy.clients),
  );
}
