/**
 * A listener of the plan, made ready for the hot path: which upstream a key goes to, found by its bytes.
 */
import type { Listener, Route, UpstreamId } from '../../plan/routing-plan.ts';
import { Faults } from './faults.ts';
import type { Terms } from '../wire/request.ts';
import { MASTER, policyIndex } from '../topology/shard.ts';
import type { Upstream } from '../upstream/upstream.ts';

export interface Destination {
  readonly upstream: Upstream;
  /** Where reads go; the same where the route says nothing else. */
  readonly reads: Upstream;
  /** How many bytes are cut off the key's begin. */
  readonly cut: number;
  /** null: none. */
  readonly mirrors: readonly MirrorDestination[] | null;
}

export interface MirrorDestination {
  readonly id: UpstreamId;
  readonly upstream: Upstream;
  readonly percentage: number;
  readonly excludeReads: boolean;
}

/** Commands go the same way; `read_policy` and faults are the listener's. */
export function isSameWay(a: Destination, b: Destination): boolean {
  return a === b || (a.upstream === b.upstream && a.reads === b.reads && a.cut === b.cut);
}

export interface Prefix {
  readonly bytes: Buffer;
  readonly destination: Destination;
}

export class Routing {
  readonly terms: Terms;
  /** Of reads that no replica shall answer: what has no key is asked of primaries. */
  readonly primaryTerms: Terms;
  readonly listener: Listener;
  readonly catchAll: Destination | null;
  /** null: none. */
  readonly faults: Faults | null;
  /** Of all its routes. */
  readonly mirrors: ReadonlyMap<UpstreamId, Upstream>;
  /** Where commands go, the catch-all's first. */
  readonly upstreams: readonly Upstream[];
  /** Of its routes in their order, those for reads too. */
  readonly ways: readonly Upstream[];
  /** The longest first. */
  readonly prefixes: readonly Prefix[];
  readonly foldsCase: boolean;

  constructor(listener: Listener, upstreamOf: (id: UpstreamId) => Upstream) {
    const { routes, readPolicy, zoneAffinity, followRedirections, opTimeoutMs, hashTags, faults } = listener;
    this.listener = listener;
    const policy = policyIndex(readPolicy, zoneAffinity);
    this.terms = { policy, followRedirections, opTimeoutMs, hashTags };
    this.primaryTerms = { ...this.terms, policy: MASTER };
    this.faults = faults.length === 0 ? null : new Faults(faults);
    const ways: Upstream[] = [];
    const sent = (id: UpstreamId): Upstream => {
      const upstream = upstreamOf(id);
      ways.push(upstream);
      if (zoneAffinity) upstream.askZones();
      upstream.expectTimeouts(opTimeoutMs);
      return upstream;
    };
    const destination = ({ upstream, reads, mirrors }: Route, cut: number): Destination => ({
      upstream: sent(upstream),
      reads: sent(reads ?? upstream),
      cut,
      mirrors:
        mirrors.length === 0
          ? null
          : mirrors.map((mirror) => ({
              ...mirror,
              id: mirror.upstream,
              upstream: upstreamOf(mirror.upstream),
            })),
    });
    this.catchAll = routes.catchAll === undefined ? null : destination(routes.catchAll, 0);
    this.foldsCase = routes.caseInsensitive;
    this.prefixes = routes.prefixes
      .map((route) => {
        const bytes = Buffer.from(route.prefix);
        return { bytes, destination: destination(route, route.removePrefix ? bytes.length : 0) };
      })
      .sort((a, b) => b.bytes.length - a.bytes.length);
    const all = [
      ...(this.catchAll === null ? [] : [this.catchAll]),
      ...this.prefixes.map((each) => each.destination),
    ];
    this.upstreams = [...new Set(all.map(({ upstream }) => upstream))];
    this.mirrors = new Map(
      all.flatMap((each) => each.mirrors ?? []).map(({ id, upstream }) => [id, upstream]),
    );
    this.ways = ways;
  }

  /** All that is behind it. */
  get isCluster(): boolean {
    return this.upstreams.every(({ checksSlots }) => checksSlots);
  }

  /** Every command goes over the same connections as there. */
  leadsLike(other: Routing): boolean {
    return this.listener === other.listener && this.ways.every((way, index) => way === other.ways[index]);
  }

  /** Its servers themselves refuse commands whose keys belong apart; a mirror, which may be one server, would not. */
  checksKeys({ upstream, mirrors }: Destination): boolean {
    return this.prefixes.length === 0 && upstream.checksSlots && mirrors === null;
  }

  /** null: no route. */
  find(bytes: Uint8Array, start: number, end: number): Destination | null {
    for (const { bytes: prefix, destination } of this.prefixes) {
      if (startsWith(bytes, start, end, prefix, this.foldsCase)) return destination;
    }
    return this.catchAll;
  }
}

function startsWith(
  bytes: Uint8Array,
  start: number,
  end: number,
  prefix: Uint8Array,
  foldsCase: boolean,
): boolean {
  const length = prefix.length;
  if (end - start < length) return false;
  for (let at = 0; at < length; at++) {
    const [a, b] = [bytes[start + at]!, prefix[at]!];
    if (a !== b && !(foldsCase && fold(a) === fold(b))) return false;
  }
  return true;
}

/** ASCII only, as Envoy folds. */
function fold(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}
