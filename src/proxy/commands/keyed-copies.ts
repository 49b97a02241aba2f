/**
 * Copies of commands with keys for one mirror. Keys that are together where the command goes need not be so there: what can
 * be split goes in a part for each place that its keys have at the mirror, anything else whole.
 */
import { KIND, type Command } from '../../redis/command-table.ts';
import { frameOf } from '../../redis/request-frame.ts';
import type { Located } from '../client/locate.ts';
import { isCopied } from '../client/mirroring.ts';
import { Scratch } from './scratch.ts';
import type { Session } from '../client/session.ts';
import { addKey, beginPart, stepOf } from './split-part.ts';
import type { Upstream } from '../upstream/upstream.ts';

const scratch = new Scratch();

/** `keys`: which of the command's; each without its first `cut` bytes. */
export function copyParts(
  session: Session,
  upstream: Upstream,
  command: Command,
  bytes: Buffer,
  offsets: Int32Array,
  keys: Iterable<number>,
  cut: number,
): void {
  const { hashTags } = session.home.routing.terms;
  const step = stepOf(command);
  const byPlace = new Map<number, number[]>();
  for (const key of keys) {
    const argument = 2 * (1 + key * step);
    const place = upstream.placeOf(bytes, offsets[argument]! + cut, offsets[argument + 1]!, hashTags);
    const others = byPlace.get(place);
    if (others === undefined) byPlace.set(place, [key]);
    else others.push(key);
  }
  for (const [place, together] of byPlace) {
    beginPart(scratch, command, together.length);
    for (const key of together) addKey(scratch, bytes, offsets, step, key, cut);
    session.copy(upstream, place, command, scratch.bytes, 0, scratch.length);
  }
}

/** To the mirrors of its route, as the plan has them by now: a former one would be connected to again, and nobody would end that. */
export function copyLocated(session: Session, command: Command, located: Located): void {
  for (const mirror of located.destination.mirrors ?? []) {
    const upstream = session.home.routing.mirrors.get(mirror.id);
    if (upstream !== undefined && isCopied(command, mirror))
      copyLocatedTo(session, upstream, command, located);
  }
}

/** To one, for which it has been drawn. */
export function copyLocatedTo(
  session: Session,
  upstream: Upstream,
  command: Command,
  located: Located,
): void {
  const { bytes, from, to, keyStart, keyEnd } = located;
  if (command.kind === KIND.split) {
    const { count, offsets } = frameOf(bytes, from, to);
    const keys = (count - 1) / stepOf(command);
    // Else Redis refuses it.
    if (Number.isInteger(keys)) {
      copyParts(session, upstream, command, bytes, offsets, Array.from({ length: keys }).keys(), 0);
    }
    return;
  }
  const place = upstream.placeOf(bytes, keyStart, keyEnd, session.home.routing.terms.hashTags);
  session.copy(upstream, place, command, bytes, from, to);
}
