/**
 * As what clients know the keys of an upstream: with what was cut off their begins on the way there. Names that lead elsewhere
 * are not told, which may be another's.
 */
import type { Invalidations } from '../upstream/invalidations.ts';
import type { Destination, Routing } from './routing.ts';

const LETTER = /[a-z]/i;
const NOTHING = Buffer.alloc(0);
/** Each is looked up among all prefixes, for each key, and told to each client. */
const MOST_CUTS = 64;

/** null: there are too many to say. */
export function keptNames(
  routing: Routing,
  of: Invalidations,
  keys: readonly Buffer[],
): readonly Buffer[] | null {
  const leadsThere = ({ upstream, reads }: Destination): boolean =>
    upstream.invalidations === of || reads.invalidations === of;
  const cuts = new Map<string, Buffer>([['', NOTHING]]);
  for (const { bytes, destination } of routing.prefixes) {
    if (destination.cut === 0 || !leadsThere(destination)) continue;
    // `Ab:` and `aB:` were the same.
    if (routing.foldsCase && LETTER.test(bytes.toString('latin1'))) return null;
    cuts.set(bytes.toString('latin1'), bytes);
    if (cuts.size > MOST_CUTS) return null;
  }
  const names: Buffer[] = [];
  for (const key of keys) {
    for (const cut of cuts.values()) {
      const name = cut.length === 0 ? key : Buffer.concat([cut, key]);
      const destination = routing.find(name, 0, name.length);
      if (destination?.cut === cut.length && leadsThere(destination)) names.push(name);
    }
  }
  return names;
}
