/**
 * RedisServices that can't be read have no plan; what they had stays, with the addresses that it listens on.
 */
import type { HeldAddress } from '../istio/governed.ts';
import { heldAddresses } from '../istio/held-addresses.ts';
import { ownerOf, type PresentFilter } from './manifest.ts';

/** What is known of the RedisServices at the API server, `NAMESPACE/NAME` each. */
export interface KnownObjects {
  /** Those that have a plan, be it an empty one. */
  readonly planned: ReadonlySet<string>;
  /** uid of each, bad ones too. */
  readonly owners: ReadonlyMap<string, string>;
}

export function isUnread({ owners, planned }: KnownObjects, owner: string): boolean {
  return owners.has(owner) && !planned.has(owner);
}

export function heldByUnread(
  present: Iterable<readonly [key: string, filter: PresentFilter]>,
  known: KnownObjects,
): readonly HeldAddress[] {
  return [...present].flatMap(([, filter]) => {
    const owner = ownerOf(filter) ?? '';
    return isUnread(known, owner) ? heldAddresses(filter.metadata.namespace ?? '', owner, filter.spec) : [];
  });
}
