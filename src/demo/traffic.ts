/**
 * What the nodes of a cluster saw of clients' commands, from their own counters.
 */
import type { Redis } from 'ioredis';

/** Of one node since it started. */
export interface Counts {
  readonly role: 'primary' | 'replica';
  readonly reads: number;
  /** Carried out for clients: a replica counts the writes that it copies from its primary as calls too; these are left out. */
  readonly writes: number;
  /** Writes that clients sent to a replica, which refused them. */
  readonly refusedWrites: number;
}

/** Asks a node how often the given commands were called. */
export async function countsOf(
  client: Redis,
  commands: { readonly read: string; readonly write: string },
): Promise<Counts> {
  const info = await client.call('INFO', 'commandstats', 'replication');
  return parseCounts(String(info), commands);
}

export function parseCounts(
  info: string,
  commands: { readonly read: string; readonly write: string },
): Counts {
  const isPrimary = /^role:master/m.test(info);
  const stat = (command: string, field: string): number => {
    const line = new RegExp(`^cmdstat_${command}:.*`, 'm').exec(info)?.[0] ?? '';
    return Number(new RegExp(`\\b${field}=(\\d+)`).exec(line)?.[1] ?? 0);
  };
  return {
    role: isPrimary ? 'primary' : 'replica',
    reads: stat(commands.read, 'calls'),
    writes: isPrimary ? stat(commands.write, 'calls') : 0,
    refusedWrites: stat(commands.write, 'rejected_calls'),
  };
}

/** What came in between. A node that was restarted counts from zero again, and one that changed its role from now on. */
export function between(before: Counts | undefined, after: Counts): Counts {
  const restarted =
    before === undefined || after.reads < before.reads || after.refusedWrites < before.refusedWrites;
  const sameRole = before?.role === after.role;
  return {
    role: after.role,
    reads: after.reads - (restarted ? 0 : before.reads),
    writes: sameRole ? Math.max(0, after.writes - before.writes) : 0,
    refusedWrites: after.refusedWrites - (restarted ? 0 : before.refusedWrites),
  };
}

export interface Split {
  readonly readsOnPrimaries: number;
  readonly readsOnReplicas: number;
  readonly writesOnPrimaries: number;
  readonly writesOnReplicas: number;
}

export function splitByRole(counts: Iterable<Counts>): Split {
  let [readsOnPrimaries, readsOnReplicas, writesOnPrimaries, writesOnReplicas] = [0, 0, 0, 0];
  for (const { role, reads, writes, refusedWrites } of counts) {
    if (role === 'primary') {
      readsOnPrimaries += reads;
      writesOnPrimaries += writes;
    } else {
      readsOnReplicas += reads;
      writesOnReplicas += refusedWrites;
    }
  }
  return { readsOnPrimaries, readsOnReplicas, writesOnPrimaries, writesOnReplicas };
}

/** Fewer reads than this say nothing about where reads go. */
const TELLING_READS = 20;

/** Whether reads go where the policy wants them while every node is up; undefined where there are too few to tell. */
export function obeys(policy: string, split: Split): boolean | undefined {
  const reads = split.readsOnPrimaries + split.readsOnReplicas;
  return reads < TELLING_READS ? undefined : misplacedReads(policy, split) === 0;
}

/** Reads in a place where the policy sends none while every node is up. */
export function misplacedReads(policy: string, { readsOnPrimaries, readsOnReplicas }: Split): number {
  switch (policy) {
    case 'MASTER':
    case 'PREFER_MASTER':
      return readsOnReplicas;
    case 'REPLICA':
    case 'PREFER_REPLICA':
      return readsOnPrimaries;
    default: {
      // ANY: no read is in a wrong place, but all of them in one half is no chance.
      const reads = readsOnPrimaries + readsOnReplicas;
      return reads >= TELLING_READS && (readsOnPrimaries === 0 || readsOnReplicas === 0) ? reads : 0;
    }
  }
}
