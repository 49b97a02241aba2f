/**
 * Slots that go from one shard to another: one by one, key by key, or many at once.
 */
import { placesOfShards } from '../../../src/proxy/upstream/places-of-shards.ts';
import { ofShard, view, type Fault, type Locked } from './locked.ts';
import { slotOfKey } from './state.ts';

/** What a node of a busy machine that is late with each command has not carried out yet. */
const UNDER_WAY_MS = 3_000;

export async function migrate(setting: Locked, from: number, to: number): Promise<void> {
  const { cluster, random, slots } = setting;
  const own = slots.filter((slot) => cluster.truth.owners[slot] === from && !cluster.migrations.has(slot));
  const count = random.between(1, 3);
  for (let index = 0; index < count; index++) {
    const slot = random.pick(own);
    // One that has just moved is the other's by now; where a move was called off, what was redirected may be under way still.
    if (slot === undefined || cluster.hasMoved(slot, performance.now() - UNDER_WAY_MS)) continue;
    if (cluster.truth.owners[slot] !== from) continue;
    cluster.migrations.set(slot, { from, to });
    setting.note(`slot ${slot} moves from shard ${from} to shard ${to}`);
    const keys = (): number => [...cluster.keys[from]!].filter((key) => slotOfKey(key) === slot).length;
    const isCalledOff = random.chance(0.2);
    await setting.pause(0, 100);
    for (let step = 0; step < 8 && (keys() > 0 || step === 0); step++) {
      cluster.moveKeys(slot, 1);
      await setting.pause(0, 80);
      if (isCalledOff && step === 1) break;
    }
    if (isCalledOff) {
      for (const key of [...cluster.keys[to]!].filter((each) => slotOfKey(each) === slot)) {
        cluster.keys[to]!.delete(key);
        cluster.keys[from]!.add(key);
        cluster.touch(key, to);
      }
      cluster.endMigration(slot);
      setting.note(`slot ${slot} stays at shard ${from}`);
      continue;
    }
    cluster.moveKeys(slot, Infinity);
    const owners = cluster.truth.owners.slice();
    owners[slot] = to;
    noteGiven(setting, owners, from);
    cluster.publish({ owners }, [cluster.truth.shards[to]!.primary]);
    setting.note(`slot ${slot} is shard ${to}'s`);
    while (cluster.migrations.has(slot)) {
      await setting.pause(10, 10);
      cluster.forgetMigrations();
    }
  }
}

const NOBODY = 0xffff;
const UNSERVED = 0xff;

/** Where it comes in a scan of all shards. */
function placeOf(owners: Uint8Array, shard: number): number {
  const only = Uint16Array.from(owners, (owner) => (owner === shard ? shard : NOBODY));
  return placesOfShards(only, NOBODY)[0] ?? 0;
}

/** One that gives away all of its last range may be passed over by who is behind the one before. */
function noteGiven({ cluster }: Locked, owners: Uint8Array, from: number): void {
  if (placeOf(owners, from) < placeOf(cluster.truth.owners, from)) cluster.scansFailedAt = performance.now();
}

const MOST_AT_ONCE = 3_000;

/** As Valkey 9 has it: the nodes of both shards know at once. */
export const slotsMoveAtOnce: Fault = async (setting) => {
  const [from, to] = setting.take(2) ?? [];
  if (from === undefined || to === undefined) return false;
  const { cluster, random } = setting;
  const owners = cluster.truth.owners.slice();
  const its = [...owners.keys()].filter((slot) => owners[slot] === from);
  // Of many it gives away all now and then, and is no shard any more.
  const count = random.chance(0.2) ? its.length : Math.min(random.between(1, MOST_AT_ONCE), its.length);
  const first = random.below(its.length - count + 1);
  const moving = its.slice(first, first + count).filter((slot) => !cluster.migrations.has(slot));
  if (moving.length > 0) {
    const both = [view(setting, from), view(setting, to)];
    setting.note(`${moving.length} slots from ${moving[0]} on are shard ${to}'s instead of shard ${from}'s`);
    for (const slot of moving) {
      owners[slot] = to;
      cluster.endMigration(slot);
    }
    noteGiven(setting, owners, from);
    cluster.moveAllKeys(new Set(moving), from, to);
    cluster.publish(
      { owners },
      both.flatMap(({ primary, replicas }) => [primary, ...replicas]),
    );
    // Until all have heard of it nothing else becomes of these shards.
    await setting.pause(cluster.shape.gossipMs, cluster.shape.gossipMs + 300);
  }
  setting.give([from, to]);
  return true;
};

/** Somebody has taken slots from their node, and gives them back. */
export const slotsUnserved: Fault = ofShard(async (setting, shard) => {
  const { cluster, random, slots } = setting;
  const its = slots.filter(
    (slot) => cluster.truth.owners[slot] === shard && !cluster.migrations.has(slot) && random.chance(0.5),
  );
  const give = (to: number): void => {
    const owners = cluster.truth.owners.slice();
    for (const slot of its) owners[slot] = to;
    noteGiven(setting, owners, shard);
    cluster.publish({ owners }, [view(setting, shard).primary]);
  };
  setting.note(`nobody serves ${its.join(' ')} of shard ${shard}`);
  give(UNSERVED);
  await setting.pause(20, 500);
  give(shard);
  setting.note(`shard ${shard} serves ${its.join(' ')} again`);
  await setting.pause(cluster.shape.gossipMs, cluster.shape.gossipMs + 300);
});
