/**
 * One seed: a scripted cluster, a proxy before it, clients that ask, faults; then all is well again, and nothing may be left.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { pino } from 'pino';

import { eventually } from '../../../src/demo/eventually.ts';
import { Proxy } from '../../../src/proxy/proxy.ts';
import type { Scene } from './client-connection.ts';
import { ChaosClient } from './client.ts';
import { ChaosCluster, type Shape } from './cluster.ts';
import { DRAIN_MS, Draining } from './draining.ts';
import { FAULT_NAMES, doHarm } from './faults.ts';
import { healed } from './healed.ts';
import { Ledger } from './ledger.ts';
import { OP_TIMEOUT_MS, Plans } from './plans.ts';
import { SHARED_LIST } from './popping-asker.ts';
import { Random } from './random.ts';
import { slotOfKey } from './state.ts';
import { ChaosScanner } from './scanner.ts';
import { dial, listenerTls } from './secured.ts';
import { ChaosSubscriber, SHARD_CHANNELS } from './subscriber.ts';

const FAILOVER_WAIT_MS = 1_500;
/** As documented, and what nodes and faults add to commands that wait for each other's replies. */
const LONGEST_MS = FAILOVER_WAIT_MS + OP_TIMEOUT_MS + 2_500;
const SHARED_KEYS = ['{x0}s', '{x1}s', '{x2}s', '{x0}n'];
/** Under these no read is refused or lost. */
const HARMLESS = ['late', 'in pieces', 'lag', 'plan'];
/** Under these no node loses what it has answered. */
const LOSSLESS = [
  ...HARMLESS,
  'manual failover',
  'migration',
  'clusterdown',
  'slots unserved',
  'replica leaves',
  'masterdown',
  'resets before',
];
/** Under these primaries say how far they are. */
const OF_LAG = [
  'lag',
  'in pieces',
  'plan',
  'resets before',
  'resets all',
  'migration',
  'manual failover',
  'replica leaves',
];
/** Once all nodes are elsewhere only their name says where. */
const OF_ADDRESSES = ['address changes', 'addresses swap'];
/** What may happen to plain servers. */
const OF_SERVERS = FAULT_NAMES.filter(
  (name) => !/failover|migration|slots|clusterdown|replica leaves|addresses swap/.test(name),
);
/** What may happen to a mirror: its copies come in order all the same. */
const OF_MIRRORS = ['late', 'in pieces', 'resets before', 'resets after', 'resets all', 'silent', 'busy'];

export interface ChaosOptions {
  readonly forMs: number;
  readonly clients: number;
  /** Plain servers instead of a Redis Cluster; undefined: as the seed decides. */
  readonly isPlain?: boolean | undefined;
  /** Some keys have routes of their own; undefined: as the seed decides. */
  readonly isRouted?: boolean | undefined;
  /** The proxy ends while clients ask; undefined: as the seed decides. */
  readonly isDrained?: boolean | undefined;
  /** TLS towards its nodes; undefined: as the seed decides. */
  readonly isSecured?: boolean | undefined;
  /** undefined: as the seed decides. */
  readonly subscribers?: number;
  /** undefined: some, as the seed decides. */
  readonly faults?: readonly string[] | undefined;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly slowestMs: number;
}

function clusterShape(random: Random): Shape {
  return {
    shards: random.between(2, 4),
    replicas: random.pick([0, 1, 1, 2, 2, 2])!,
    gossipMs: random.pick([0, 50, 400])!,
    hasNewShard: random.chance(0.2),
  };
}

/** Sharded ones, or one with replicas, or one alone. */
function plainShape(random: Random): Shape {
  const replicas = random.pick([0, 0, 1, 2])!;
  const shards = replicas > 0 ? 1 : random.between(1, 4);
  return { shards, replicas, gossipMs: 0, isPlain: true };
}

export async function runSeed(seed: number, options: ChaosOptions): Promise<Outcome> {
  const random = new Random(seed);
  const ledger = new Ledger();
  const isPlain = options.isPlain ?? random.chance(0.3);
  const isRouted = options.isRouted ?? random.chance(0.3);
  const shape: Shape = {
    ...(isPlain ? plainShape(random) : clusterShape(random)),
    isSecured: options.isSecured ?? random.chance(0.15),
  };
  const copies = random.chance(0.3) ? new Ledger() : undefined;
  const small = { shards: 2, replicas: 0, gossipMs: 0 };
  const mirror = copies && (await ChaosCluster.start(small, copies, random.fork()));
  const chosen = (isPlain ? OF_SERVERS : FAULT_NAMES).filter(() => random.chance(0.4));
  const wanted = options.faults ?? (chosen.length === 0 ? ['resets all'] : chosen);
  const hasSteadyRoutes = !isRouted || !wanted.includes('plan');
  const harms = hasSteadyRoutes ? wanted : wanted.filter((harm) => harm !== 'migration');
  const isNamed = harms.some((harm) => OF_ADDRESSES.includes(harm)) || random.chance(0.5);
  // Of servers for reads nothing is known but when they last heard of their primary; of one that is lost nothing newer.
  const isBounded = !isPlain && harms.every((harm) => OF_LAG.includes(harm)) && random.chance(0.8);
  const maxLagMs = isBounded ? 500 : undefined;
  const routes = { hasSteadyRoutes, isOneMemory: !hasSteadyRoutes, maxLagMs };
  const cluster = await ChaosCluster.start({ ...shape, ...routes }, ledger, random.fork());
  const shards = isPlain && shape.replicas > 0 ? 1 : 2;
  const twin = { shards, replicas: Math.min(1, shape.replicas), isPlain, ...routes, twin: cluster };
  const other = isRouted
    ? await ChaosCluster.start({ ...twin, gossipMs: shape.gossipMs }, ledger, random.fork())
    : undefined;
  const plans = new Plans({ main: cluster, other, mirror }, random.fork(), isNamed);
  // Where servers are elsewhere, another one has their keys from then on.
  ledger.isOrderOfNodes = (isPlain && isNamed) || !hasSteadyRoutes;
  ledger.note(undefined, `* ${JSON.stringify({ ...shape, policy: plans.policy, faults: harms })}`);
  const tls = (options.isSecured ?? random.chance(0.1)) ? await listenerTls() : undefined;
  const proxy = await Proxy.create({
    tls,
    hedgeAfterMs: random.pick([30, 200])!,
    failoverWaitMs: FAILOVER_WAIT_MS,
    maxLagMs,
    maxClients: 1_000,
    drainMs: DRAIN_MS,
    log: pino(
      { base: null, level: 'warn' },
      { write: (line) => ledger.note(undefined, `log ${line.trim()}`) },
    ),
  });
  const rejected = (reason: unknown): void => {
    const why = reason instanceof Error ? reason.stack : JSON.stringify(reason);
    ledger.violation(`an unhandled rejection: ${why}`, []);
  };
  process.on('unhandledRejection', rejected);
  const draining = (options.isDrained ?? random.chance(0.15)) ? new Draining(proxy, ledger) : undefined;
  try {
    await plans.give(proxy);
    await eventually('ready', () => proxy.notReady() === undefined || undefined);
    const [address = ''] = [...proxy.addresses().values()];
    const port = Number(address.split(':').pop());
    const subscribers = options.subscribers ?? (random.chance(0.5) ? 4 : 0);
    const scene: Scene = {
      ledger,
      mirrored: copies,
      dial: () => dial(port, tls !== undefined),
      isEnding: () => draining?.hasBegun === true,
      masterSince: () => plans.masterSince,
      sharedKeys: SHARED_KEYS,
      tags: random.between(1, 3),
      mostAtOnce: random.pick([6, 6, 40])!,
      mayPause: random.chance(0.3),
      mayDisconnect: random.chance(0.6),
      mayTransact: random.chance(0.7),
      mayBlock: random.chance(0.7),
      mayPublish: subscribers > 0,
      isPlain,
      isRouted,
      mayScript: random.chance(0.5),
      mayKeep: random.chance(0.5),
      long: { share: random.pick([0.02, 0.02, 0.2])!, most: random.pick([100_000, 100_000, 800_000])! },
      unsure: new Set(),
      published: [],
      longestMs: LONGEST_MS,
      isOrderly: harms.every((harm) => HARMLESS.includes(harm)) && hasSteadyRoutes,
      isWhole: !harms.includes('in pieces'),
      failoverWaitMs: FAILOVER_WAIT_MS,
    };
    const names = Array.from({ length: options.clients }, (_, index) => `c${index}`);
    const clients = names.map((name) => new ChaosClient(scene, random.fork(), name));
    const listeners = Array.from({ length: subscribers }, (_, index) => `listener${index}`).map(
      (name) => new ChaosSubscriber(scene, random.fork(), name),
    );
    // The cursor of one server alone says nothing where there are several by then, and the other way round.
    const mayBeMissed = (slot: number, since: number): boolean =>
      cluster.mayBeMissed(slot, since) || ((isPlain || isRouted) && plans.renewedAt >= since);
    const scanner = new ChaosScanner(scene, random.fork(), 'scanner', mayBeMissed);
    const all = [...clients, ...listeners, scanner];
    const runs = all.map(async (client) => await client.run());
    const keys = [...SHARED_KEYS, SHARED_LIST, ...SHARD_CHANNELS, ...clients.flatMap(({ tags }) => tags)];
    const slots = [...new Set(keys.map(slotOfKey))];
    const pace = { forMs: options.forMs, everyMs: random.pick([30, 100, 300])! };
    const nothing = async (): Promise<void> => {};
    const harm = async (to: ChaosCluster, by: readonly string[], swapPlan = nothing) =>
      await doHarm({ cluster: to, random: random.fork(), slots, swapPlan }, by, pace);
    const [faults] = await Promise.all([
      harm(cluster, harms, async () => await plans.swap(proxy)),
      mirror && harm(mirror, OF_MIRRORS),
      other && harm(other, harms),
      draining?.after(random.between(200, options.forMs)),
    ]);
    await sleep(300);
    for (const client of all) client.stop();
    await Promise.all(runs);
    const clusters = [cluster, ...(other === undefined ? [] : [other])];
    if (draining === undefined)
      await healed({ cluster, proxy, ledger, clients: all, plans, dial: () => scene.dial() });
    else await draining.over(clusters);
    const isHeard = draining === undefined;
    if (isHeard && harms.every((harm) => HARMLESS.includes(harm) && harm !== 'plan')) heard(scene, listeners);
    if (isHeard && !isRouted && harms.every((harm) => harm === 'in pieces' || harm === 'lag'))
      heardOfAll(scene, listeners);
    if (isHeard && !scene.mayDisconnect) {
      const isLossless = harms.every((harm) => LOSSLESS.includes(harm));
      const nodes = clusters.flatMap((each) => each.nodes);
      const open = new Set(nodes.flatMap(({ talks }) => Array.from(talks, ({ name }) => name)));
      // What was popped as its connection closed, nobody can have.
      const lost = ledger.lostElements().filter(({ talk }) => isLossless || open.has(talk));
      const texts = lost.map(({ text }) => text).join(', ');
      if (lost.length > 0) ledger.violation(`popped, and nobody got it: ${texts}`, []);
    }
    const slowestMs = Math.max(...clients.map((client) => client.slowestMs));
    const ofMirror = copies?.violations.map((violation) => `mirror: ${violation}`) ?? [];
    return {
      violations: [...ledger.violations, ...ofMirror],
      faults,
      counts: ledger.counts,
      slowestMs,
    };
  } finally {
    await proxy.close();
    process.off('unhandledRejection', rejected);
    await cluster.close();
    await mirror?.close();
    await other?.close();
  }
}

/** Where no primary is taken for silent, which nobody waits for. */
function heardOfAll({ ledger }: Scene, listeners: readonly ChaosSubscriber[]): void {
  for (const { name, missingEvents } of listeners) {
    if (missingEvents.length > 0)
      ledger.violation(`${name} was not told of all writes: ${missingEvents.join(' ')}`, [name]);
  }
}

/** Where nothing was lost, all that was published to who was there. */
function heard({ published, ledger }: Scene, listeners: readonly ChaosSubscriber[]): void {
  for (const { channel, token, sentAt } of published) {
    for (const listener of listeners) {
      const since = listener.since(channel);
      if (since === undefined || since > sentAt || listener.got.has(token)) continue;
      ledger.violation(`${listener.name} has not got ${token} of ${channel}`, [listener.name, token]);
    }
  }
}
