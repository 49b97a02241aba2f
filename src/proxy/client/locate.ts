/**
 * Where a command of any form belongs: all its keys, its prefix removed. Written for clarity: what has one key at a fixed
 * place does not come here.
 */
import type { Command } from '../../redis/command-table.ts';
import { keyArguments, sortPatterns } from '../../redis/keys.ts';
import { frameOf, wordAt, type RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES, encodeError } from '../wire/encode.ts';
import { rewriteKeys } from './rewrite.ts';
import { isSameWay, type Destination, type Routing } from './routing.ts';
import type { Upstream } from '../upstream/upstream.ts';

export interface Located {
  readonly kind: 'keyed';
  readonly destination: Destination;
  /** Of the destination's two, by what the command does. */
  readonly upstream: Upstream;
  readonly place: number;
  /** The command as it is to be sent, and the first key in it. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

export type Location =
  | Located
  | { readonly kind: 'keyless' }
  | { readonly kind: 'refused'; readonly reply: Buffer };

/** A channel stands where others have a key; prefixes are of keys. */
const OF_CHANNELS: ReadonlySet<string> = new Set(['spublish', 'ssubscribe', 'sunsubscribe']);

/** Their patterns are of keys as clients know them. */
const SORTS: ReadonlySet<string> = new Set(['sort', 'sort_ro']);

const CROSS_SERVER = encodeError('CROSSSLOT The keys of this transaction are at different servers');

/** Of a transaction whose keys do not belong together; plain servers have no slots. */
export function crossing({ checksSlots }: Upstream): Buffer {
  return checksSlots ? REPLIES.crossSlot : CROSS_SERVER;
}

/** `isRead`: whether it may go to the servers for reads. */
export function locate(
  routing: Routing,
  bytes: Buffer,
  frame: RequestFrame,
  command: Command,
  isRead: boolean,
): Location {
  const { offsets } = frame;
  const keys = keyArguments(command.keys, frame.count, wordAt(bytes, frame));
  let destination: Destination | undefined;
  let place = 0;
  for (const key of keys) {
    const [start, end] = [offsets[2 * key]!, offsets[2 * key + 1]!];
    const found = OF_CHANNELS.has(command.name) ? routing.catchAll : routing.find(bytes, start, end);
    if (found === null) return { kind: 'refused', reply: REPLIES.noUpstreamHost };
    const upstream = isRead ? found.reads : found.upstream;
    const own = upstream.placeOf(bytes, start + found.cut, end, routing.terms.hashTags);
    if (destination !== undefined && (!isSameWay(found, destination) || own !== place)) {
      return { kind: 'refused', reply: REPLIES.crossSlot };
    }
    destination ??= found;
    place = own;
  }
  const [first] = keys;
  if (destination === undefined || first === undefined) return { kind: 'keyless' };
  const upstream = isRead ? destination.reads : destination.upstream;
  const common = { kind: 'keyed', destination, upstream, place } as const;
  if (destination.cut === 0) {
    const [keyStart, keyEnd] = [offsets[2 * first]!, offsets[2 * first + 1]!];
    return { ...common, bytes, from: frame.start, to: frame.at, keyStart, keyEnd };
  }
  const patterns = SORTS.has(command.name) ? sortPatterns(frame.count, wordAt(bytes, frame)) : [];
  const isThere = (index: number): boolean => {
    const found = routing.find(bytes, offsets[2 * index]!, offsets[2 * index + 1]!);
    return found !== null && isSameWay(found, common.destination);
  };
  const written = rewriteKeys(bytes, frame, [...keys, ...patterns.filter(isThere)], destination.cut);
  const again = frameOf(written);
  const [keyStart, keyEnd] = [again.offsets[2 * first]!, again.offsets[2 * first + 1]!];
  return { ...common, bytes: written, from: 0, to: written.length, keyStart, keyEnd };
}
