/**
 * A listener of the plan, made ready for the hot path: which upstream a key goes to, found by its bytes.
 */
import type { Listener, Route, UpstreamId } from '../plan/routing-plan.ts';
import type { Terms } from './request.ts';
import { POLICIES } from './shard.ts';
import type { Upstream } from './upstream.ts';

export interface Destination {
  readonly upstream: Upstream;
  /** How many bytes are cut off the key's begin. */
  readonly cut: number;
}

interface Prefix {
  readonly bytes: Buffer;
  readonly destination: Destination;
}

export class Routing {
  readonly terms: Terms;
  readonly listener: Listener;
  readonly catchAll: Destination | null;
  /** The longest first. */
  readonly #prefixes: readonly Prefix[];

  constructor(listener: Listener, upstreamOf: (id: UpstreamId) => Upstream) {
    const { routes, readPolicy, followRedirections, opTimeoutMs } = listener;
    this.listener = listener;
    this.terms = { policy: POLICIES.indexOf(readPolicy), followRedirections, opTimeoutMs };
    const destination = (route: Route, cut: number): Destination => ({
      upstream: upstreamOf(route.upstream),
      cut,
    });
    this.catchAll = routes.catchAll === undefined ? null : destination(routes.catchAll, 0);
    this.#prefixes = routes.prefixes
      .map((route) => {
        const bytes = Buffer.from(route.prefix);
        return { bytes, destination: destination(route, route.removePrefix ? bytes.length : 0) };
      })
      .sort((a, b) => b.bytes.length - a.bytes.length);
  }

  /** null: no route. */
  find(bytes: Uint8Array, start: number, end: number): Destination | null {
    for (const { bytes: prefix, destination } of this.#prefixes) {
      if (startsWith(bytes, start, end, prefix)) return destination;
    }
    return this.catchAll;
  }
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  const length = prefix.length;
  if (end - start < length) return false;
  for (let at = 0; at < length; at++) if (bytes[start + at] !== prefix[at]) return false;
  return true;
}
