/**
 * A plan as an Envoy of some version can carry it out: what it does not know is taken out, and told.
 *
 * Done before messages are built, so that these need no versions: whatever an old Envoy has in common with a new one
 * stays the same plan object, and thereby the same resource.
 */
import type { Diagnostic, FieldPath } from '../api/diagnostic.ts';
import type { Listener, RoutingPlan, Upstream } from '../plan/routing-plan.ts';
import { FIRST_THAT_BEARS_ZONES, isOlder, KNOWN_SINCE, NEWEST_ENVOY, OLDEST_ENVOY } from './envoy-version.ts';

/** Something that a listener can ask for and that not every supported Envoy knows, or bears. */
export interface Feature {
  readonly name: string;
  /** The first release that gets it. */
  readonly since: string;
  /** The field that asks for it. */
  readonly path: FieldPath;
  readonly isUsed: (listener: Listener) => boolean;
  /** What happens without it, and the remedy. */
  readonly consequence: string;
  readonly without: (listener: Listener) => Listener;
  readonly withoutUpstream?: (upstream: Upstream) => Upstream;
}

const FEATURES: readonly Feature[] = [
  {
    name: 'RESP3',
    since: KNOWN_SINCE['envoy.extensions.filters.network.redis_proxy.v3.RedisProxy.protocol_version'],
    path: ['metadata', 'annotations', 'redpilot.dev/protocol'],
    isUsed: ({ protocol }) => protocol === 'RESP3',
    without: (listener) => ({ ...listener, protocol: 'RESP2' }),
    consequence: 'its listener speaks RESP2; upgrade that Envoy, or remove the annotation',
  },
  {
    name: 'affinity to zones',
    since: FIRST_THAT_BEARS_ZONES,
    path: ['metadata', 'annotations', 'redpilot.dev/zone-affinity'],
    isUsed: ({ zoneAffinity }) => zoneAffinity,
    without: (listener) => ({ ...listener, zoneAffinity: false }),
    withoutUpstream: (upstream) =>
      upstream.mode === 'cluster' && upstream.discoverZones
        ? { ...upstream, discoverZones: false }
        : upstream,
    consequence: 'its reads go to nodes of every zone alike; upgrade that Envoy, or remove the annotation',
  },
];

/** What an Envoy of that version lacks, or does not bear; undefined lacks nothing. */
export function featuresUnknownTo(version: string | undefined): readonly Feature[] {
  return FEATURES.filter(({ since }) => isOlder(version, since));
}

/** The listener itself where it uses none of them. */
export function withoutFeatures(listener: Listener, unknown: readonly Feature[]): Listener {
  const used = usedBy(listener, unknown);
  return used.length === 0
    ? listener
    : once(strippedListeners, listener, used, (made, { without }) => without(made));
}

export function upstreamWithout(upstream: Upstream, unknown: readonly Feature[]): Upstream {
  if (unknown.length === 0) return upstream;
  return once(
    strippedUpstreams,
    upstream,
    unknown,
    (made, { withoutUpstream }) => withoutUpstream?.(made) ?? made,
  );
}

/** The plan itself where nothing is unknown. */
export function planWithout(plan: RoutingPlan, unknown: readonly Feature[]): RoutingPlan {
  if (unknown.length === 0) return plan;
  return {
    listeners: plan.listeners.map((bound) => ({
      ...bound,
      listener: withoutFeatures(bound.listener, unknown),
    })),
    upstreams: new Map(
      Array.from(plan.upstreams, ([id, upstream]) => [id, upstreamWithout(upstream, unknown)]),
    ),
  };
}

/** What an Envoy of that version does not do of what these listeners ask for. */
export function tellUnsupported(
  listeners: Iterable<Listener>,
  version: string | undefined,
): readonly Diagnostic[] {
  const unknown = featuresUnknownTo(version);
  const found: Diagnostic[] = isOlder(version, OLDEST_ENVOY) ? [tooOld(version)] : [];
  if (unknown.length === 0) return found;
  for (const listener of listeners) {
    for (const feature of usedBy(listener, unknown)) found.push(tellLoss(listener, feature, version));
  }
  return found;
}

/** What somebody asked for by its number may not exist yet. */
export function tellNewer(version: string | undefined): readonly Diagnostic[] {
  if (version === undefined || !isOlder(NEWEST_ENVOY, version)) return [];
  const message = `Envoy ${version} is newer than ${NEWEST_ENVOY}, the newest that is known; it gets what ${NEWEST_ENVOY} gets`;
  return [{ severity: 'warning', reason: 'UnsupportedByEnvoy', path: [], message }];
}

export function usedBy(listener: Listener, features: readonly Feature[]): readonly Feature[] {
  return features.filter(({ isUsed }) => isUsed(listener));
}

function tellLoss(listener: Listener, feature: Feature, version = ''): Diagnostic {
  const { name, since, path, consequence } = feature;
  const message = `Envoy ${version} gets no ${name}, which needs ${since}: ${consequence}`;
  return { severity: 'warning', reason: 'UnsupportedByEnvoy', object: listener.origin, path, message };
}

function tooOld(version = ''): Diagnostic {
  const message = `Envoy ${version} is older than ${OLDEST_ENVOY}, the oldest that is supported; upgrade it`;
  return { severity: 'warning', reason: 'UnsupportedByEnvoy', path: [], message };
}

export function namesOf(features: readonly Feature[]): string {
  return features.map(({ name }) => name).join();
}

type Stripped<T extends object> = WeakMap<T, Map<string, T>>;

const strippedListeners: Stripped<Listener> = new WeakMap();
const strippedUpstreams: Stripped<Upstream> = new WeakMap();

/** The same object each time, as long as the plan keeps its own. */
function once<T extends object>(
  memory: Stripped<T>,
  original: T,
  features: readonly Feature[],
  strip: (made: T, feature: Feature) => T,
): T {
  const key = namesOf(features);
  let byFeatures = memory.get(original);
  if (byFeatures === undefined) {
    byFeatures = new Map();
    memory.set(original, byFeatures);
  }
  let made = byFeatures.get(key);
  if (made === undefined) {
    made = features.reduce(strip, original);
    byFeatures.set(key, made);
  }
  return made;
}
