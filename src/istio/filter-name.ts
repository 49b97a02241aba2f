/**
 * Names of EnvoyFilters: one for each RedisService and namespace, never that of another.
 */
import { createHash } from 'node:crypto';

import type { ObjectRef } from '../api/diagnostic.ts';

/** Of an object's name in Kubernetes. */
const LONGEST = 253;

/**
 * `redpilot-NAME` in the object's own namespace, `redpilot.NAMESPACE.NAME` in others, since they may have an object of that
 * name themselves. Too long a name is cut, behind two hyphens, with which no name of an object begins.
 */
export function filterName(owner: ObjectRef, namespace: string): string {
  const isOwn = owner.namespace === namespace;
  const name = isOwn ? `redpilot-${owner.name}` : `redpilot.${owner.namespace}.${owner.name}`;
  if (name.length <= LONGEST) return name;
  const hash = createHash('sha256').update(`${owner.namespace}/${owner.name}`).digest('hex').slice(0, 32);
  return `redpilot--${hash}-${owner.name}`.slice(0, LONGEST).replace(/[-.]+$/, '');
}
