/**
 * Copies of commands without a key, for the mirrors of the catch-all's route: to each primary of a mirror where the command
 * concerns all of them, else to any.
 */
import { allCommands, type Command } from '../../redis/command-table.ts';
import { connectionForCopies, isCopied } from '../client/mirroring.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** Of what concerns every primary. */
export interface ForAll {
  /** Replicas are told too, whatever they answer. */
  readonly replicasToo?: boolean;
  /** Mirrors get it too: it is not about the servers themselves. */
  readonly isCopied?: boolean;
}

export interface WithoutKey {
  readonly command: Command;
  /** undefined: it concerns one node only. */
  readonly plan: ForAll | undefined;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** Of those for any node. Not what is about the server itself (INFO, CONFIG, …): a mirror is another one. */
const COPIED: ReadonlySet<string> = new Set([
  'publish',
  'eval',
  'eval_ro',
  'evalsha',
  'evalsha_ro',
  'fcall',
  'fcall_ro',
]);
/** Commands that only their server knows: of those none is for administrators. */
const FOREIGN = allCommands().length;

/** For any mirror at all. */
export function isForMirrors({ command, plan }: Pick<WithoutKey, 'command' | 'plan'>): boolean {
  return plan?.isCopied ?? (COPIED.has(command.name) || command.index === FOREIGN);
}

export function copyWithoutKey(session: Session, what: WithoutKey): void {
  const mirrors = session.home.routing.catchAll?.mirrors ?? [];
  if (mirrors.length === 0 || !isForMirrors(what)) return;
  for (const mirror of mirrors) {
    if (isCopied(what.command, mirror)) copyWithoutKeyTo(session, mirror.upstream, what);
  }
}

/** To one mirror, for which it has been drawn. `place`: where a command for one node goes. */
export function copyWithoutKeyTo(
  session: Session,
  upstream: Upstream,
  { command, plan, bytes, from, to }: WithoutKey,
  place = session.placeWithoutKey(upstream, command),
): void {
  for (const each of plan === undefined ? [place] : upstream.primaryPlaces()) {
    session.copy(upstream, each, command, bytes, from, to, session.home.routing.primaryTerms);
  }
  if (plan?.replicasToo !== true) return;
  for (const node of upstream.usableReplicas()) connectionForCopies(node)?.append(null, bytes, from, to);
}
