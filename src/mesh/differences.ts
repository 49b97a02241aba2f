/**
 * What is wanted beside what is there → what has to be done about it. Pure.
 */
import { isDeepStrictEqual } from 'node:util';

import type { EnvoyFilterBody } from '../istio/envoy-filter.ts';
import type { EnvoyFilters } from '../istio/envoy-filters.ts';
import { manifestOf, says, type Manifest, type PresentFilter } from './manifest.ts';

export interface Wanted {
  readonly filters: EnvoyFilters;
  /** RedisServices at the API server, `NAMESPACE/NAME`, with the uid of each; bad ones too. */
  readonly owners: ReadonlyMap<string, string>;
}

export interface Apply {
  readonly owner: string;
  readonly manifest: Manifest;
  /** Of ours, which it takes the place of. */
  readonly replaces: PresentFilter | undefined;
  /** It carries nothing out any more, and goes soon. */
  readonly isGoing: boolean;
}

/** What was written last, and the version that came of it: the API server may have made something else of it. */
export interface Written {
  readonly manifest: Manifest;
  readonly resourceVersion: string | undefined;
}

export interface Differences {
  /** By `NAMESPACE/NAME` of the EnvoyFilter. */
  readonly apply: ReadonlyMap<string, Apply>;
  readonly remove: ReadonlyMap<string, PresentFilter>;
  /** Says what is wanted, or is kept: by EnvoyFilter, the RedisService it is of. */
  readonly settled: ReadonlyMap<string, string>;
  /** Of those, the ones that say what an earlier version wanted; why is one clause. */
  readonly kept: ReadonlyMap<string, string>;
}

/** What was found to say the same, so that a look costs what has changed. */
const same = new WeakMap<
  EnvoyFilterBody,
  { readonly filter: PresentFilter; readonly uid: string | undefined }
>();

export function differencesOf(
  wanted: Wanted,
  present: Iterable<readonly [key: string, filter: PresentFilter]>,
  written: ReadonlyMap<string, Written>,
  controlPlane: string,
): Differences {
  const { filters, owners } = wanted;
  const there = new Map(present);
  const apply = new Map<string, Apply>();
  const settled = new Map<string, string>();
  const kept = new Map<string, string>();
  // They carry nothing out any more, and go when their time has come.
  const going = new Set<string>();
  for (const document of filters.write) {
    const key = `${document.namespace}/${document.name}`;
    const owner = `${document.owner.namespace}/${document.owner.name}`;
    const uid = owners.get(owner);
    // It is just going.
    if (uid === undefined && document.outlivesOwner !== true) continue;
    const replaces = there.get(key);
    const before = same.get(document.body);
    if (replaces !== undefined && before?.filter === replaces && before.uid === uid) {
      settled.set(key, owner);
      continue;
    }
    const manifest = manifestOf(document, uid, controlPlane);
    const isDone = isThere(replaces, manifest, written.get(key));
    const isGoing = document.outlivesOwner === true;
    if (!isDone) apply.set(key, { owner, manifest, replaces, isGoing });
    if (isGoing) {
      going.add(key);
    } else if (isDone) {
      same.set(document.body, { filter: replaces, uid });
      settled.set(key, owner);
    }
  }
  for (const { namespace, name, owner, why } of filters.keep) {
    const key = `${namespace}/${name}`;
    if (!there.has(key) || apply.has(key)) continue;
    settled.set(key, `${owner.namespace}/${owner.name}`);
    kept.set(key, why);
  }
  const remove = new Map<string, PresentFilter>();
  for (const [key, filter] of there) {
    if (!apply.has(key) && !settled.has(key) && !going.has(key)) remove.set(key, filter);
  }
  return { apply, remove, settled, kept };
}

/** What was written of it last is of no use any more: it is neither there nor wanted. */
export function isForgotten(
  key: string,
  { apply }: Pick<Differences, 'apply'>,
  present: { get(key: string): PresentFilter | undefined },
): boolean {
  return present.get(key) === undefined && !apply.has(key);
}

/** It is there, as it is or as what the API server made of it. */
export function isThere(
  replaces: PresentFilter | undefined,
  manifest: Manifest,
  written: Written | undefined,
): replaces is PresentFilter {
  return replaces !== undefined && (says(replaces, manifest) || cameOf(written, manifest, replaces));
}

function cameOf(written: Written | undefined, manifest: Manifest, { metadata }: PresentFilter): boolean {
  return (
    written !== undefined &&
    written.resourceVersion === metadata.resourceVersion &&
    isDeepStrictEqual(written.manifest, manifest)
  );
}
