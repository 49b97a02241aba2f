/**
 * One version for a set of resources: a hash over names and versions in order of the names, so that it is the same on
 * every replica and after a restart.
 */
import { createHash } from 'node:crypto';

import type { Resource } from '../envoy/resource.ts';

const ofMaps = new WeakMap<ReadonlyMap<string, Resource>, string>();

/** Remembered per map: the streams of one view share it. */
export function versionOfAll(resources: ReadonlyMap<string, Resource>): string {
  let version = ofMaps.get(resources);
  if (version === undefined) {
    version = versionOf(resources.values());
    ofMaps.set(resources, version);
  }
  return version;
}

export function versionOf(resources: Iterable<Resource>): string {
  const hash = createHash('sha256');
  const lines = Array.from(resources, ({ name, version }) => `${name}\0${version}\n`);
  for (const line of lines.sort()) hash.update(line);
  return hash.digest('hex').slice(0, 16);
}
