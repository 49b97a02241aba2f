/**
 * What a real istiod made of a golden case for a sidecar, as a real Envoy holds it: recorded by `npm run istio`, held to by
 * `npm test`.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const RECORDINGS = fileURLToPath(new URL('recordings', import.meta.url));

export interface Recording {
  readonly istio: string;
  readonly envoy: string;
  readonly sidecars: readonly RecordedSidecar[];
}

export interface RecordedSidecar {
  readonly namespace: string;
  /** Those that the EnvoyFilters added, by name. */
  readonly clusters: Readonly<Record<string, Resource>>;
  /** Those that they added or changed, by name, as they are then; the same in both states. */
  readonly listeners: Readonly<Record<string, Resource>>;
  readonly states: readonly RecordedState[];
}

/** A message of Envoy as JSON. */
export type Resource = Readonly<Record<string, unknown>>;

export interface RecordedState {
  /** PILOT_ENABLE_REDIS_FILTER of istiod. */
  readonly redisFilter: boolean;
  /** Envoy became ready. */
  readonly isReady: boolean;
  /** What Envoy refused, in its words. */
  readonly refused: readonly string[];
  /** What was there without the EnvoyFilters and is not there with them. */
  readonly lost: readonly string[];
  /** What is as it is without them. */
  readonly kept: readonly string[];
  /** Listeners that are not, with the filters that they have without them. */
  readonly changed: Readonly<Record<string, readonly string[]>>;
}

export function recordedCases(): readonly string[] {
  return existsSync(RECORDINGS)
    ? readdirSync(RECORDINGS)
        .map((file) => file.replace('.json', ''))
        .sort()
    : [];
}

export function recordingOf(name: string): Recording {
  return JSON.parse(readFileSync(`${RECORDINGS}/${name}.json`, 'utf8')) as Recording;
}

interface Chain {
  readonly filters?: readonly Resource[];
}

/** Of all chains in their order, that for all the rest last. */
export function filtersOf(listener: Resource): readonly Resource[] {
  const chains = (listener['filter_chains'] ?? []) as readonly Chain[];
  const rest = listener['default_filter_chain'] as Chain | undefined;
  return [...chains, ...(rest === undefined ? [] : [rest])].flatMap(({ filters }) => filters ?? []);
}
