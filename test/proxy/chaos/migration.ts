/**
 * Slots that go from one shard to another, key by key.
 */
import type { Locked } from './locked.ts';
import { slotOfKey } from './state.ts';

const UNDER_WAY_MS = 1_000;

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
    cluster.publish({ owners }, [cluster.truth.shards[to]!.primary]);
    setting.note(`slot ${slot} is shard ${to}'s`);
    while (cluster.migrations.has(slot)) {
      await setting.pause(10, 10);
      cluster.forgetMigrations();
    }
  }
}
