/**
 * What happens to the cluster, at moments that a seed decides. Each fault ends by itself, and says so once it has.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Locked, fitReplica, ofShard, view, type Fault, type FaultSetting } from './locked.ts';
import { migrate, slotsMoveAtOnce, slotsUnserved } from './migration.ts';
import type { ScriptedNode } from './node.ts';
import type { Random } from './random.ts';
import { addressChanges, addressesSwap, startAgain } from './starting-again.ts';
import { KNOWN_MS } from './state.ts';

function misbehaving(
  name: string,
  manners: (random: Random) => Parameters<ScriptedNode['behaves']>[0],
): Fault {
  return async (setting) => {
    const node = setting.anyNode();
    if (node === undefined) return;
    node.behaves(manners(setting.random));
    setting.note(`${node.name} ${name}`);
    await setting.pause(50, 600);
    node.behaves({});
    setting.note(`${node.name} no longer ${name}`);
  };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  late: misbehaving('is late', (random) => ({ late: 0.3, lateMs: random.pick([5, 40, 200])! })),
  'in pieces': misbehaving('answers in pieces', () => ({ inPieces: 0.7 })),
  'resets before': misbehaving('resets before commands', () => ({ resetBefore: 0.03 })),
  'resets after': misbehaving('resets after commands', () => ({ resetAfter: 0.03 })),

  'resets all': async (setting) => {
    const node = setting.anyNode();
    if (node === undefined) return;
    setting.note(`${node.name} resets all connections`);
    node.resetAll();
  },

  silent: ofShard(async (setting, shard) => {
    const { random, cluster } = setting;
    const { primary, replicas } = view(setting, shard);
    const node = cluster.nodes[random.pick([primary, ...replicas])!]!;
    setting.note(`${node.name} hangs`);
    node.hang();
    await setting.pause(20, random.pick([150, 400, 1_500])!);
    node.wake();
    setting.note(`${node.name} wakes`);
  }),

  'replica dies': ofShard(async (setting, shard) => {
    const { cluster, random } = setting;
    const node = fitReplica(setting, shard);
    if (node === undefined) return;
    setting.note(`${node.name} dies, a replica`);
    node.die();
    await setting.pause(20, 600);
    if (random.chance(0.6)) {
      const replicas = view(setting, shard).replicas.filter((index) => index !== node.index);
      cluster.changeShard(shard, { replicas }, [], false);
      await setting.pause(0, 200);
    }
    await startAgain(setting, node, true);
  }),

  'primary restarts': ofShard(async (setting, shard) => {
    const node = setting.cluster.primaryOf(shard);
    setting.note(`${node.name} dies, a primary`);
    node.die();
    for (const index of view(setting, shard).replicas) {
      const replica = setting.cluster.nodes[index]!;
      [replica.isLinkUp, replica.linkDownAt] = [false, performance.now()];
    }
    await setting.pause(20, 400);
    await startAgain(setting, node, false);
    await setting.pause(0, 200);
    for (const index of view(setting, shard).replicas) setting.cluster.nodes[index]!.isLinkUp = true;
  }),

  'address changes': addressChanges,
  'addresses swap': addressesSwap,

  failover: ofShard(async (setting, shard) => {
    const { cluster, random } = setting;
    const old = cluster.primaryOf(shard);
    const next = fitReplica(setting, shard);
    if (next === undefined) return;
    const isDead = random.chance(0.6);
    setting.note(`${old.name} ${isDead ? 'dies' : 'hangs'}, a primary; ${next.name} will take over`);
    if (isDead) old.die();
    else old.hang();
    for (const index of view(setting, shard).replicas) {
      const replica = cluster.nodes[index]!;
      [replica.isLinkUp, replica.linkDownAt] = [false, performance.now()];
    }
    await setting.pause(50, 500);
    if (random.chance(0.6)) {
      setting.note('the cluster is down');
      for (const node of cluster.nodes) node.refusal ??= 'CLUSTERDOWN The cluster is down';
      await setting.pause(10, 200);
    }
    takeOver(setting, shard, next, []);
    for (const node of cluster.nodes)
      setTimeout(() => {
        if (node.refusal?.startsWith('CLUSTERDOWN') === true) node.refusal = undefined;
      }, random.below(100)).unref();
    await setting.pause(100, 600);
    if (!isDead) {
      // By now the proxy knows who is primary, and does not listen any more.
      if (random.chance(0.5)) {
        await setting.pause(KNOWN_MS, KNOWN_MS);
        old.isZombie = true;
        setting.note(`${old.name} wakes, and believes to be primary`);
      }
      old.wake();
      if (old.isZombie) await setting.pause(20, 130);
      old.isZombie = false;
      old.die();
    }
    await startAgain(setting, old, true);
    for (const index of view(setting, shard).replicas) cluster.nodes[index]!.isLinkUp = true;
  }),

  'manual failover': ofShard(async (setting, shard) => {
    const old = setting.cluster.primaryOf(shard);
    const next = fitReplica(setting, shard);
    if (next === undefined) return;
    setting.note(`${next.name} takes over from ${old.name} by hand`);
    old.isPaused = true;
    await setting.pause(0, 30);
    takeOver(setting, shard, next, [old.index]);
    await setting.pause(0, 60);
    while (old.isPrimary) await setting.pause(5, 5);
    old.isPaused = false;
    await setting.pause(0, 300);
  }),

  migration: async (setting) => {
    const taken = setting.take(2);
    if (taken === undefined) return false;
    await migrate(setting, taken[0]!, taken[1]!);
    setting.give(taken);
    return true;
  },

  'slots move at once': slotsMoveAtOnce,
  'slots unserved': slotsUnserved,

  busy: ofShard(async (setting, shard) => {
    const { primary, replicas } = view(setting, shard);
    const node = setting.cluster.nodes[setting.random.pick([primary, ...replicas])!]!;
    node.isBusy = true;
    setting.note(`${node.name} is busy`);
    await setting.pause(30, 500);
    node.isBusy = false;
    setting.note(`${node.name} is no longer busy`);
  }),

  masterdown: ofShard(async (setting, shard) => {
    const node = fitReplica(setting, shard);
    if (node === undefined) return;
    node.refusal = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    [node.isLinkUp, node.linkDownAt] = [false, performance.now()];
    setting.note(`${node.name} has lost its primary`);
    await setting.pause(30, 600);
    [node.refusal, node.isLinkUp] = [undefined, true];
    setting.note(`${node.name} has its primary again`);
  }),

  clusterdown: ofShard(async (setting, shard) => {
    const { primary, replicas } = view(setting, shard);
    const node = setting.cluster.nodes[setting.random.pick([primary, ...replicas])!]!;
    node.refusal = 'CLUSTERDOWN The cluster is down';
    setting.note(`${node.name} says CLUSTERDOWN`);
    await setting.pause(30, 400);
    node.refusal = undefined;
    setting.note(`${node.name} no longer says CLUSTERDOWN`);
  }),

  'replica leaves': ofShard(async (setting, shard) => {
    const node = fitReplica(setting, shard);
    if (node === undefined) return;
    const { replicas } = view(setting, shard);
    setting.note(`${node.name} is forgotten`);
    setting.cluster.changeShard(
      shard,
      { replicas: replicas.filter((index) => index !== node.index) },
      [],
      false,
    );
    await setting.pause(100, 700);
    setting.note(`${node.name} is added`);
    setting.cluster.changeShard(
      shard,
      { replicas: [...view(setting, shard).replicas, node.index] },
      [],
      false,
    );
    await setting.pause(0, 300);
  }),

  lag: async (setting) => {
    const node = setting.anyNode();
    if (node === undefined || node.isPrimary || node.lagMs > 0) return false;
    node.lagMs = setting.random.between(20, setting.random.pick([500, 3_000])!);
    await setting.pause(100, setting.random.pick([1_000, 3_000])!);
    node.lagMs = 0;
    return true;
  },

  plan: async (setting) => {
    await setting.swapPlan();
    await setting.pause(0, 200);
  },
};

export const FAULT_NAMES = Object.keys(FAULTS);

function takeOver(setting: Locked, shard: number, next: ScriptedNode, also: readonly number[]): void {
  const { cluster } = setting;
  const { primary, replicas } = view(setting, shard);
  const others = replicas.filter((index) => index !== next.index);
  [next.isLinkUp, next.lagMs] = [true, 0];
  cluster.changeShard(shard, { primary: next.index, replicas: [...others, ...also] }, [next.index]);
  setting.note(`${next.name} is primary instead of node ${primary}`);
  for (const index of others) {
    const replica = cluster.nodes[index]!;
    setTimeout(() => {
      replica.isLinkUp = true;
    }, setting.random.below(300)).unref();
  }
}

/** Until `untilMs` are over, and all faults. Returns how many of each there were. */
export async function doHarm(
  setting: FaultSetting,
  names: readonly string[],
  { forMs, everyMs }: { readonly forMs: number; readonly everyMs: number },
): Promise<Readonly<Record<string, number>>> {
  const locked = new Locked(setting);
  const counts: Record<string, number> = {};
  const underWay: Promise<void>[] = [];
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const name = setting.random.pick(names)!;
    const done = async (): Promise<void> => {
      if ((await FAULTS[name]!(locked)) !== false) counts[name] = (counts[name] ?? 0) + 1;
    };
    underWay.push(done());
    await sleep(setting.random.between(1, 2 * everyMs));
  }
  await Promise.all(underWay);
  return counts;
}
