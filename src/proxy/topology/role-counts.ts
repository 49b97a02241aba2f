/**
 * What is counted of a node, by the role that it had then. Commands count without looking at it: what has been counted is put
 * aside when the role changes.
 */
export type Role = 'primary' | 'replica';

export interface NodeCounts {
  /** Commands sent to it the first time. */
  readonly reads: number;
  readonly writes: number;
  /** Error replies that were handed on, over connections that clients share. */
  readonly errors: { readonly read: number; readonly write: number };
}

/** Of those roles that it has had. */
export type RoleCounts = Readonly<Partial<Record<Role, NodeCounts>>>;

const NOTHING: NodeCounts = { reads: 0, writes: 0, errors: { read: 0, write: 0 } };

export function addUp(a: NodeCounts = NOTHING, b: NodeCounts = NOTHING): NodeCounts {
  const errors = { read: a.errors.read + b.errors.read, write: a.errors.write + b.errors.write };
  return { reads: a.reads + b.reads, writes: a.writes + b.writes, errors };
}
